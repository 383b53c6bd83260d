//! ID (RFC 2971).

use super::{Completion, Output};
use crate::wire::response::Writer;

/// Tells who we are; what the client says of itself is not kept.
pub fn run(out: &mut dyn Output) -> Completion {
    let fields = [("name", "Staffetta"), ("version", env!("CARGO_PKG_VERSION"))];
    Writer::new(out.buffer()).id(&fields);
    Completion::done()
}
