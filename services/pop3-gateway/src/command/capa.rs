//! `CAPA` (RFC 2449 5): what there is in this state.

use super::{Outcome, Response, Stage, Then};
use crate::session::Channel;
use crate::wire::{Lines, Reply};

/// The capabilities.
pub(super) fn capa(stage: Stage) -> Outcome {
    let logged_in = matches!(stage, Stage::Transaction(..));
    let response =
        Response::Lines(Reply::ok("capabilities follow"), capabilities(stage.channel(), logged_in));
    Outcome { stage: Some(stage), response, then: Then::Continue }
}

fn capabilities(channel: Channel, logged_in: bool) -> bytes::BytesMut {
    let mut lines = Lines::new();
    lines.push("TOP");
    lines.push("UIDL");
    lines.push("RESP-CODES");
    lines.push("AUTH-RESP-CODE");
    lines.push("PIPELINING");
    lines.push("EXPIRE NEVER");
    lines.push("IMPLEMENTATION Staffetta");
    if channel.offers_tls && !logged_in {
        lines.push("STLS");
    }
    if channel.takes_passwords() {
        lines.push("USER");
        lines.push("SASL PLAIN");
    }
    lines.finish()
}
