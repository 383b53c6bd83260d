//! RENAME (RFC 3501 6.3.5).

use staffetta_mailstore_api::MailboxName;

use super::Completion;
use super::create::existing;
use crate::login::Login;
use crate::wire::response::Code;

/// Renames a mailbox with its children.
pub async fn run(login: &Login, from: &str, to: &str) -> Completion {
    let from = match existing(from) {
        Ok(name) => name,
        Err(completion) => return completion,
    };
    let Ok(to) = MailboxName::try_from(to.strip_suffix(MailboxName::DELIMITER).unwrap_or(to)) else {
        return Completion::refused(Code::Cannot, "This name cannot be used for a mailbox");
    };
    match login.shard.store.rename(&login.access, &from, &to).await {
        Ok(()) => Completion::done(),
        Err(error) => Completion::from_error(&error),
    }
}
