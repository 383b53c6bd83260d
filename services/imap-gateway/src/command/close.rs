//! CLOSE and UNSELECT (RFC 3501 6.4.2; RFC 3691).

use std::io;

use staffetta_mailstore_api::ExpungeRequest;

use super::{Completion, draw_key};
use crate::login::Login;
use crate::session::State;

/// CLOSE: removes what has `\Deleted`, silently, and leaves the mailbox.
pub async fn close(state: &mut State<Login>) -> io::Result<Completion> {
    if let State::Selected(login, view) = state
        && !view.is_read_only()
    {
        let request = ExpungeRequest { key: draw_key(), mailbox: view.mailbox(), uids: None };
        if let Err(error) = login.shard.store.expunge(&login.access, &request).await {
            return Ok(Completion::from_error(&error));
        }
    }
    Ok(unselect(state))
}

/// UNSELECT: leaves the mailbox as it is.
pub fn unselect(state: &mut State<Login>) -> Completion {
    *state = std::mem::replace(state, State::NotAuthenticated).unselect();
    Completion::done()
}
