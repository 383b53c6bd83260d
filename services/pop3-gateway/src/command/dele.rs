//! `DELE msg` (RFC 1939 5): marks; nothing is removed before QUIT.

use crate::maildrop::Maildrop;
use crate::wire::Reply;

/// Marks a message.
pub(super) fn dele(maildrop: &mut Maildrop, number: u32) -> Reply {
    match maildrop.delete(number) {
        Ok(()) => Reply::ok(format!("message {number} deleted")),
        Err(error) => Reply::err(error.to_string()),
    }
}
