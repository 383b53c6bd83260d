//! Verifying: a set of public keys, and a bounded cache of what was verified already.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;

use super::{Claims, PublicKey, SESSION_AUDIENCE, TokenError};
use crate::SessionToken;

/// Longest token that is looked at, in octets.
const MAX_TOKEN: usize = 8 * 1024;

/// Verified tokens kept by default (about 1 KB each).
const CACHED_TOKENS: usize = 20_000;

/// Public keys by key id.
pub struct PublicKeys {
    keys: HashMap<String, DecodingKey>,
}

/// Verifies session tokens; each token's signature is computed once as long as it stays in the cache.
pub struct TokenVerifier {
    keys: PublicKeys,
    cache: Mutex<Generations>,
}

/// Two maps: lookups ask both, insertions fill the young one, and a full young one becomes the old one. So the oldest half
/// is forgotten in one step and the whole never holds more than `capacity` entries.
struct Generations {
    half: usize,
    young: HashMap<Arc<str>, Arc<Claims>>,
    old: HashMap<Arc<str>, Arc<Claims>>,
}

// === impl PublicKeys ===

impl PublicKeys {
    /// The set of `keys`.
    #[must_use]
    pub fn new(keys: &[PublicKey]) -> Self {
        let keys = keys.iter().map(|key| (key.kid.clone(), DecodingKey::from_ed_der(&key.octets)));
        Self { keys: keys.collect() }
    }

    /// Checks signature and audience of `token`, but no time: the claims carry it.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] or [`TokenError::UnknownKey`].
    pub fn verify<C: DeserializeOwned>(&self, audience: &str, token: &str) -> Result<C, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::UnknownKey)?;
        let key = self.keys.get(&kid).ok_or(TokenError::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["aud"]);
        let data = jsonwebtoken::decode(token, key, &validation).map_err(|_| TokenError::Invalid)?;
        Ok(data.claims)
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

// === impl TokenVerifier ===

impl TokenVerifier {
    /// A verifier that trusts `keys`.
    #[must_use]
    pub fn new(keys: &[PublicKey]) -> Self {
        Self::with_capacity(keys, CACHED_TOKENS)
    }

    /// A verifier that trusts `keys` and remembers at most `capacity` tokens.
    #[must_use]
    pub fn with_capacity(keys: &[PublicKey], capacity: usize) -> Self {
        let cache = Generations { half: (capacity / 2).max(1), young: HashMap::new(), old: HashMap::new() };
        Self { keys: PublicKeys::new(keys), cache: Mutex::new(cache) }
    }

    /// A verifier that trusts every `<kid>.pub` of `directory` (at least one).
    ///
    /// # Errors
    /// [`TokenError::Read`] or [`TokenError::Key`].
    pub fn from_directory(directory: &Path) -> Result<Self, TokenError> {
        let keys = PublicKey::read_all(directory)?;
        if keys.is_empty() {
            let name = directory.display().to_string();
            return Err(TokenError::Key { name, reason: "no file <kid>.pub in this directory" });
        }
        Ok(Self::new(&keys))
    }

    /// What `token` proves at `now`.
    ///
    /// # Errors
    /// [`TokenError::Expired`], [`TokenError::UnknownKey`] or [`TokenError::Invalid`].
    pub fn verify(&self, token: &SessionToken, now: DateTime<Utc>) -> Result<Arc<Claims>, TokenError> {
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&token.0);
        let claims = match known {
            Some(claims) => claims,
            None => {
                let claims: Arc<Claims> = Arc::new(self.keys.verify(SESSION_AUDIENCE, &token.0)?);
                let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
                cache.put(Arc::clone(&token.0), Arc::clone(&claims));
                claims
            }
        };
        if now >= claims.expires_at {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn cached(&self) -> usize {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.young.len() + cache.old.len()
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

// === impl Generations ===

impl Generations {
    fn get(&self, token: &str) -> Option<Arc<Claims>> {
        self.young.get(token).or_else(|| self.old.get(token)).cloned()
    }

    fn put(&mut self, token: Arc<str>, claims: Arc<Claims>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, claims);
    }
}
