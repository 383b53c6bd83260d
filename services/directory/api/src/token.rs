//! Session tokens: JWTs (EdDSA over Ed25519) that directory signs and everybody else can only verify.
//!
//! - A token is good for one audience: the key that signs session tokens also signs directory's session handles, and
//!   neither passes for the other.
//! - Rotation: the header names the key (`kid`). Publish the new public key everywhere, switch the signing key, drop the
//!   old public key once its last token has expired.
//! - Keys are files: `<kid>.key` (PKCS#8, PEM; directory only) and `<kid>.pub` (SubjectPublicKeyInfo, PEM), as
//!   `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

mod keys;
mod pem;
mod signer;
mod verifier;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use keys::{PublicKey, SigningKey};
pub use signer::TokenSigner;
pub use verifier::{PublicKeys, TokenVerifier};

use crate::{AccountId, Quota, Scopes, ShardEpoch, ShardName};

/// How long a session token lives.
pub const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// The audience of session tokens.
pub const SESSION_AUDIENCE: &str = "staffetta-session";

/// What a session token proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account that logged in.
    pub account: AccountId,
    /// Where its mail lives.
    pub shard: ShardName,
    /// Guards against a moved account.
    pub epoch: ShardEpoch,
    /// How much it may store.
    pub quota: Quota,
    /// What the session may do.
    pub scopes: Scopes,
    /// Who logged in on the account's behalf (e.g. `imap-gateway`).
    pub workload: String,
    /// The session, the same over all its renewals.
    #[serde(rename = "sid")]
    pub session: Uuid,
    /// When this token was signed.
    #[serde(rename = "iat", with = "chrono::serde::ts_seconds")]
    pub issued_at: DateTime<Utc>,
    /// First instant at which it proves nothing any more.
    #[serde(rename = "exp", with = "chrono::serde::ts_seconds")]
    pub expires_at: DateTime<Utc>,
}

/// Why a token proves nothing, or a key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token, a wrong signature, or one for another audience.
    #[error("token is not valid")]
    Invalid,
    /// Signed by a key that is not known here.
    #[error("token is signed by an unknown key")]
    UnknownKey,
    /// It was good once.
    #[error("token has expired")]
    Expired,
    /// A key file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is not what it should be.
    #[error("{name} is not an Ed25519 key: {reason}")]
    Key {
        /// The key's id or file.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Sign(String),
}

#[cfg(test)]
mod tests;
