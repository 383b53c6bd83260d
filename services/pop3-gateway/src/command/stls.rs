//! `STLS` (RFC 2595 4).

use super::{Outcome, Response, Stage, Then};
use crate::session::Authorization;

/// Turns to TLS; whatever the client sent behind the command is thrown away by the connection.
pub(super) fn stls(state: Authorization) -> Outcome {
    match state.stls() {
        Ok(reply) => Outcome {
            stage: Some(Stage::Authorization(state)),
            response: Response::Reply(reply),
            then: Then::StartTls,
        },
        Err(reply) => Outcome::reply(Stage::Authorization(state), reply),
    }
}
