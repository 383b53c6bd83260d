//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7).

use staffetta_mailstore_api::MailboxName;

use super::Completion;
use crate::login::Login;
use crate::wire::response::Code;

/// Adds a name to the subscriptions or takes it off; it need not exist.
pub async fn run(login: &Login, mailbox: &str, subscribed: bool) -> Completion {
    let Ok(name) = MailboxName::try_from(mailbox) else {
        return Completion::refused(Code::Cannot, "This name cannot be used for a mailbox");
    };
    match login.shard.store.subscribe(&login.access, &name, subscribed).await {
        Ok(()) => Completion::done(),
        Err(error) => Completion::from_error(&error),
    }
}
