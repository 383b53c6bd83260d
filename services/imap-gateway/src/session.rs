//! The states of RFC 3501 section 3 and which command is allowed in which (pure).
//!
//! ```text
//!   connection -> NotAuthenticated --LOGIN, AUTHENTICATE--> Authenticated <--SELECT, EXAMINE / CLOSE, UNSELECT--> Selected
//!                        \------------------------ LOGOUT, BYE -> Logout <-----------------------------/
//! ```

use crate::view::View;
use crate::wire::command::CommandBody;

/// Where a session stands. `L` is what a login yields; the machine does not look into it.
#[derive(Debug)]
pub enum State<L> {
    /// Before a login.
    NotAuthenticated,
    /// Logged in, no mailbox selected.
    Authenticated(Box<L>),
    /// A mailbox is selected.
    Selected(Box<L>, Box<View>),
}

/// Extensions a client switched on (RFC 5161, RFC 7162). They stay on for the rest of the session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Enabled {
    /// MODSEQ comes with every FETCH response.
    pub condstore: bool,
    /// VANISHED replaces EXPUNGE; implies CONDSTORE.
    pub qresync: bool,
}

/// Why a command is refused before it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The command needs a login first.
    NotAuthenticated,
    /// The command needs a selected mailbox.
    NotSelected,
    /// The session is logged in already.
    AlreadyAuthenticated,
    /// The mailbox was opened by EXAMINE.
    ReadOnly,
}

impl Refusal {
    /// Text for the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotAuthenticated => "Log in first",
            Self::NotSelected => "Select a mailbox first",
            Self::AlreadyAuthenticated => "Already logged in",
            Self::ReadOnly => "Mailbox is open read-only",
        }
    }
}

/// The least state a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    NoLogin,
    Login,
    Mailbox,
    WritableMailbox,
}

impl<L> State<L> {
    /// Checks a command against the state.
    pub fn admits(&self, command: &CommandBody) -> Result<(), Refusal> {
        match (needs(command), self) {
            (Needs::Nothing, _)
            | (Needs::NoLogin, Self::NotAuthenticated)
            | (Needs::Login, Self::Authenticated(_) | Self::Selected(..))
            | (Needs::Mailbox, Self::Selected(..)) => Ok(()),
            (Needs::NoLogin, _) => Err(Refusal::AlreadyAuthenticated),
            (Needs::WritableMailbox, Self::Selected(_, view)) if view.is_read_only() => {
                Err(Refusal::ReadOnly)
            }
            (Needs::WritableMailbox, Self::Selected(..)) => Ok(()),
            (_, Self::NotAuthenticated) => Err(Refusal::NotAuthenticated),
            (_, Self::Authenticated(_)) => Err(Refusal::NotSelected),
        }
    }

    /// What the login yielded.
    pub fn login(&self) -> Option<&L> {
        match self {
            Self::NotAuthenticated => None,
            Self::Authenticated(login) | Self::Selected(login, _) => Some(login),
        }
    }

    /// What the login yielded, to renew it.
    pub fn login_mut(&mut self) -> Option<&mut L> {
        match self {
            Self::NotAuthenticated => None,
            Self::Authenticated(login) | Self::Selected(login, _) => Some(login),
        }
    }

    /// The selected mailbox.
    pub fn view_mut(&mut self) -> Option<&mut View> {
        match self {
            Self::Selected(_, view) => Some(view),
            Self::NotAuthenticated | Self::Authenticated(_) => None,
        }
    }

    /// Selects a mailbox in place of the one before.
    #[must_use]
    pub fn select(self, view: View) -> Self {
        match self {
            Self::NotAuthenticated => Self::NotAuthenticated,
            Self::Authenticated(login) | Self::Selected(login, _) => Self::Selected(login, Box::new(view)),
        }
    }

    /// Leaves the selected mailbox.
    #[must_use]
    pub fn unselect(self) -> Self {
        match self {
            Self::Selected(login, _) => Self::Authenticated(login),
            other => other,
        }
    }
}

fn needs(command: &CommandBody) -> Needs {
    match command {
        CommandBody::Capability | CommandBody::Noop | CommandBody::Logout | CommandBody::Id(_) => {
            Needs::Nothing
        }
        CommandBody::StartTls | CommandBody::Authenticate { .. } | CommandBody::Login { .. } => {
            Needs::NoLogin
        }
        CommandBody::Select(_)
        | CommandBody::Create { .. }
        | CommandBody::Delete { .. }
        | CommandBody::Rename { .. }
        | CommandBody::Subscribe { .. }
        | CommandBody::Unsubscribe { .. }
        | CommandBody::List(_)
        | CommandBody::Lsub(_)
        | CommandBody::Status { .. }
        | CommandBody::Append(_)
        | CommandBody::Idle
        | CommandBody::Namespace
        | CommandBody::Enable(_)
        | CommandBody::GetQuota { .. }
        | CommandBody::GetQuotaRoot { .. }
        | CommandBody::SetQuota { .. } => Needs::Login,
        CommandBody::Check
        | CommandBody::Close
        | CommandBody::Search { .. }
        | CommandBody::Fetch(_)
        | CommandBody::Copy { .. }
        | CommandBody::Unselect => Needs::Mailbox,
        CommandBody::Expunge { .. } | CommandBody::Store(_) | CommandBody::Move { .. } => {
            Needs::WritableMailbox
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_admits_its_commands_only() {
        let fresh = State::<()>::NotAuthenticated;
        assert_eq!(fresh.admits(&CommandBody::Noop), Ok(()));
        assert_eq!(fresh.admits(&CommandBody::StartTls), Ok(()));
        assert_eq!(fresh.admits(&CommandBody::Idle), Err(Refusal::NotAuthenticated));
        assert_eq!(fresh.admits(&CommandBody::Check), Err(Refusal::NotAuthenticated));
        let known = State::Authenticated(Box::new(()));
        assert_eq!(known.admits(&CommandBody::StartTls), Err(Refusal::AlreadyAuthenticated));
        assert_eq!(known.admits(&CommandBody::Namespace), Ok(()));
        assert_eq!(known.admits(&CommandBody::Expunge { uids: None }), Err(Refusal::NotSelected));
    }
}
