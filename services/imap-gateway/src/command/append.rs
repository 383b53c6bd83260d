//! APPEND (RFC 3501 6.3.11; APPENDUID of RFC 4315). The connection streams the message; here is what comes before and after.

use chrono::Utc;
use staffetta_chassis::spool::Spooled;
use staffetta_mailstore_api::{AppendRequest, Flags, MailboxName};

use super::{Completion, draw_key, flags};
use crate::login::Login;
use crate::wire::command::Append;
use crate::wire::response::Code;

/// What is known before the message comes.
#[derive(Debug)]
pub struct Accepted {
    mailbox: MailboxName,
    flags: Flags,
    received_at: Option<chrono::DateTime<Utc>>,
}

/// Checks an APPEND before its message is let in.
pub fn check(append: &Append, max_message_bytes: u64) -> Result<Accepted, Completion> {
    if append.literal.size > max_message_bytes {
        let text = format!("A message may have {max_message_bytes} octets at most");
        return Err(Completion::refused(Code::TooBig, text));
    }
    if append.literal.size == 0 {
        return Err(Completion::no("An empty message cannot be stored"));
    }
    let mailbox =
        MailboxName::try_from(append.mailbox.as_str()).map_err(|_| Completion::no_such_mailbox())?;
    let flags = flags::from_wire(&append.flags).map_err(|text| Completion::refused(Code::Cannot, text))?;
    Ok(Accepted { mailbox, flags, received_at: append.date.map(|date| date.to_utc()) })
}

/// Stores the complete message.
pub async fn run(login: &Login, accepted: Accepted, body: Spooled) -> Completion {
    let Accepted { mailbox, flags, received_at } = accepted;
    let request = AppendRequest { key: draw_key(), mailbox, flags, received_at, body };
    match login.shard.store.append(&login.access, request).await {
        Ok(appended) => Completion::done_with(Code::AppendUid {
            uid_validity: appended.uid_validity.0,
            uid: appended.uid.get(),
        }),
        Err(error) => Completion::for_target(&error),
    }
}
