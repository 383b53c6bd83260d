//! `STAT` (RFC 1939 5): "+OK" followed by the number of messages and the size of the maildrop in octets.

use crate::maildrop::Maildrop;
use crate::wire::Reply;

/// The drop listing; marked messages do not count.
pub(super) fn stat(maildrop: &Maildrop) -> Reply {
    Reply::ok(format!("{} {}", maildrop.count(), maildrop.octets()))
}
