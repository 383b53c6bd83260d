//! `NOOP` (RFC 1939 5).

use crate::wire::Reply;

/// Nothing but an answer.
pub(super) fn noop() -> Reply {
    Reply::ok("")
}
