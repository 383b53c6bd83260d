//! `PASS string` (RFC 1939 7): "may be issued only after a successful USER".

use secrecy::SecretString;

use crate::session::{Authorization, LoginStep};

/// The credentials of USER and PASS, to be checked.
pub(super) fn pass(state: Authorization, password: SecretString) -> LoginStep {
    state.pass(password)
}
