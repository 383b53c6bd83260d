//! `UIDL [msg]` (RFC 1939 7): unique ids.

use super::Response;
use crate::maildrop::Maildrop;
use crate::wire::{Lines, Reply};

/// One unique id, or those of all messages without a mark.
pub(super) fn uidl(maildrop: &Maildrop, message: Option<u32>) -> Response {
    let Some(number) = message else {
        let mut lines = Lines::new();
        for (number, message) in maildrop.messages() {
            lines.push(&format!("{number} {}", maildrop.unique_id(message)));
        }
        return Response::Lines(Reply::ok("unique ids follow"), lines.finish());
    };
    Response::Reply(match maildrop.message(number) {
        Ok(message) => Reply::ok(format!("{number} {}", maildrop.unique_id(message))),
        Err(error) => Reply::err(error.to_string()),
    })
}
