//! Signing, done by directory alone.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::{Claims, SESSION_AUDIENCE, SigningKey, TokenError};
use crate::SessionToken;

/// Signs tokens with one private key.
pub struct TokenSigner {
    header: Header,
    key: EncodingKey,
}

#[derive(Serialize)]
struct ForAudience<'a, C> {
    aud: &'a str,
    #[serde(flatten)]
    claims: &'a C,
}

impl TokenSigner {
    /// A signer with `key`.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid().to_owned());
        Self { header, key: EncodingKey::from_ed_der(key.pkcs8()) }
    }

    /// Signs a session token.
    ///
    /// # Errors
    /// [`TokenError::Sign`].
    pub fn sign(&self, claims: &Claims) -> Result<SessionToken, TokenError> {
        self.sign_for(SESSION_AUDIENCE, claims).map(|token| SessionToken(token.into()))
    }

    /// Signs any claims for `audience`; only [`super::PublicKeys::verify`] with the same audience accepts them.
    ///
    /// # Errors
    /// [`TokenError::Sign`].
    pub fn sign_for<C: Serialize>(&self, audience: &str, claims: &C) -> Result<String, TokenError> {
        jsonwebtoken::encode(&self.header, &ForAudience { aud: audience, claims }, &self.key)
            .map_err(|error| TokenError::Sign(error.to_string()))
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("kid", &self.header.kid).finish_non_exhaustive()
    }
}
