//! `RSET` (RFC 1939 5): "If any messages have been marked as deleted by the POP3 server, they are unmarked."

use crate::maildrop::Maildrop;
use crate::wire::Reply;

/// Removes all marks.
pub(super) fn rset(maildrop: &mut Maildrop) -> Reply {
    maildrop.reset();
    Reply::ok(format!("maildrop has {} messages ({} octets)", maildrop.count(), maildrop.octets()))
}
