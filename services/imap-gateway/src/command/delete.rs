//! DELETE (RFC 3501 6.3.4).

use super::Completion;
use super::create::existing;
use crate::login::Login;

/// Deletes a mailbox and its messages; sessions that have it selected are told by BYE.
pub async fn run(login: &Login, mailbox: &str) -> Completion {
    let name = match existing(mailbox) {
        Ok(name) => name,
        Err(completion) => return completion,
    };
    match login.shard.store.delete(&login.access, &name).await {
        Ok(()) => Completion::done(),
        Err(error) => Completion::from_error(&error),
    }
}
