//! SASL (RFC 4422) as SMTP, IMAP and POP3 use it: PLAIN and LOGIN, both sides, without I/O.
//!
//! - [`server`]: an exchange as a state that each response consumes
//! - [`client`]: responses for a smarthost
//!
//! Invariants: responses are bounded before they are decoded; passwords are [`secrecy::SecretString`] from the
//! moment they are split off, and buffers that held them are wiped.

pub mod client;
pub mod server;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;
use zeroize::Zeroizing;

pub use server::{Exchange, Failure, Step};

/// Longest response line that is decoded, in base64 octets (RFC 4954 4 lets a line have 12288; names and passwords
/// of 255 octets need far less).
pub const MAX_RESPONSE: usize = 4096;

/// The mechanisms there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The obsolete LOGIN (draft-murchison-sasl-login), still asked for by old clients.
    Login,
}

/// What a client proved to know. Debug does not show the password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who logs in.
    pub authentication_id: String,
    /// Whom the session acts for: always the same as `authentication_id`.
    pub authorization_id: String,
    /// The password.
    pub password: SecretString,
}

/// A name that is no known mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown authentication mechanism")]
pub struct UnknownMechanism;

// === impl Mechanism ===

impl Mechanism {
    /// All mechanisms, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name)).ok_or(UnknownMechanism)
    }
}

/// Strict base64 of a bounded line.
fn decode_base64(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if line.len() > MAX_RESPONSE {
        return Err(Failure::TooLong);
    }
    BASE64_STANDARD.decode(line).map(Zeroizing::new).map_err(|_| Failure::Encoding)
}

fn encode_base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}
