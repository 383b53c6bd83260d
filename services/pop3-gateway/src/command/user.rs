//! `USER name` (RFC 1939 7).

use super::{Outcome, Stage};
use crate::session::Authorization;

/// Remembers the name; whether it exists is never told.
pub(super) fn user(state: Authorization, name: String) -> Outcome {
    let (state, reply) = state.user(name);
    Outcome::reply(Stage::Authorization(state), reply)
}
