//! `AUTH mechanism [initial-response]` (RFC 5034 4).

use super::{Outcome, Response, Stage, Then};
use crate::session::{Authorization, LoginStep};
use crate::wire::{AuthArguments, Lines, Reply};

/// Starts an exchange.
pub(super) fn auth(state: Authorization, arguments: &AuthArguments) -> LoginStep {
    state.auth(arguments)
}

/// Bare `AUTH`: no RFC has it, but clients ask so for the mechanisms.
pub(super) fn mechanisms(state: Authorization) -> Outcome {
    let mut lines = Lines::new();
    if state.channel().takes_passwords() {
        lines.push("PLAIN");
    }
    let response = Response::Lines(Reply::ok("mechanisms follow"), lines.finish());
    Outcome { stage: Some(Stage::Authorization(state)), response, then: Then::Continue }
}
