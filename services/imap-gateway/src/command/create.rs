//! CREATE (RFC 3501 6.3.3; special use of RFC 6154 3).

use staffetta_mailstore_api::{MailboxName, SpecialUse};

use super::Completion;
use crate::login::Login;
use crate::wire::response::Code;

/// Makes a mailbox and the parents it lacks.
pub async fn run(login: &Login, mailbox: &str, special_use: &[String]) -> Completion {
    // "If the mailbox name is suffixed with the server's hierarchy separator character ... this is a declaration that the
    // client intends to create mailbox names under this name in the hierarchy."
    let name = mailbox.strip_suffix(MailboxName::DELIMITER).unwrap_or(mailbox);
    let Ok(name) = MailboxName::try_from(name) else {
        return Completion::refused(Code::Cannot, "This name cannot be used for a mailbox");
    };
    let special_use = match special_use {
        [] => None,
        [one] => match known(one) {
            Some(known) => Some(known),
            None => return Completion::refused(Code::UseAttr, "This special use is not offered"),
        },
        _ => return Completion::refused(Code::UseAttr, "A mailbox can have one special use"),
    };
    match login.shard.store.create(&login.access, &name, special_use).await {
        Ok(_) => Completion::done(),
        Err(error) => Completion::from_error(&error),
    }
}

fn known(name: &str) -> Option<SpecialUse> {
    let known = [
        ("Archive", SpecialUse::Archive),
        ("Drafts", SpecialUse::Drafts),
        ("Junk", SpecialUse::Junk),
        ("Sent", SpecialUse::Sent),
        ("Trash", SpecialUse::Trash),
    ];
    known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, special_use)| special_use)
}

/// The name that a client means, or how the command ends.
pub fn existing(mailbox: &str) -> Result<MailboxName, Completion> {
    MailboxName::try_from(mailbox).map_err(|_| Completion::no_such_mailbox())
}
