//! `LIST [msg]` (RFC 1939 5): scan listings.

use super::Response;
use crate::maildrop::Maildrop;
use crate::wire::{Lines, Reply};

/// One scan listing, or those of all messages without a mark.
pub(super) fn list(maildrop: &Maildrop, message: Option<u32>) -> Response {
    let Some(number) = message else {
        let mut lines = Lines::new();
        for (number, message) in maildrop.messages() {
            lines.push(&format!("{number} {}", message.size));
        }
        let status = format!("{} messages ({} octets)", maildrop.count(), maildrop.octets());
        return Response::Lines(Reply::ok(status), lines.finish());
    };
    Response::Reply(match maildrop.message(number) {
        Ok(message) => Reply::ok(format!("{number} {}", message.size)),
        Err(error) => Reply::err(error.to_string()),
    })
}
