//! The message body on the wire (RFC 5321 4.5.2), both directions.

mod receiver;
mod stuffer;

pub use receiver::{BodyLimits, BodyProblem, DataReceiver, MAX_TEXT_LINE, Received};
pub use stuffer::DotStuffer;
