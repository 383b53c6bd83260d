//! NAMESPACE (RFC 2342): one personal namespace, nobody else's.

use staffetta_mailstore_api::MailboxName;

use super::{Completion, Output};
use crate::wire::response::Writer;

/// `(("" "/")) NIL NIL`
pub fn run(out: &mut dyn Output) -> Completion {
    Writer::new(out.buffer()).namespace("", MailboxName::DELIMITER);
    Completion::done()
}
