//! Passwords that were verified a moment ago, so that clients that log in every few seconds cost no hash.
//!
//! An entry is a hash of (credential, version, password) under a random key of this process: the cache holds no password,
//! and its memory says nothing about one to whoever does not also have the key. A new password has a new version.

use moka::future::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::config::VerifiedConfig;

/// A bounded set with expiry.
pub(crate) struct Verified {
    key: Zeroizing<[u8; 32]>,
    entries: Cache<[u8; 32], ()>,
}

impl Verified {
    pub(crate) fn new(config: &VerifiedConfig) -> Self {
        let entries = Cache::builder().max_capacity(config.capacity).time_to_live(config.life).build();
        Self { key: Zeroizing::new(rand::random()), entries }
    }

    pub(crate) async fn contains(&self, credential: i64, version: i32, password: &SecretString) -> bool {
        self.entries.get(&self.digest(credential, version, password)).await.is_some()
    }

    pub(crate) async fn insert(&self, credential: i64, version: i32, password: &SecretString) {
        self.entries.insert(self.digest(credential, version, password), ()).await;
    }

    fn digest(&self, credential: i64, version: i32, password: &SecretString) -> [u8; 32] {
        // Fixed lengths first, so that no two triples read the same.
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&credential.to_le_bytes()).update(&version.to_le_bytes());
        hasher.update(password.expose_secret().as_bytes());
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_credential_version_and_password_are_known() {
        let verified = Verified::new(&VerifiedConfig::default());
        verified.insert(7, 1, &"pw".into()).await;
        assert!(verified.contains(7, 1, &"pw".into()).await);
        assert!(!verified.contains(7, 2, &"pw".into()).await);
        assert!(!verified.contains(8, 1, &"pw".into()).await);
        assert!(!verified.contains(7, 1, &"pW".into()).await);
        let other = Verified::new(&VerifiedConfig::default());
        assert_ne!(
            verified.digest(7, 1, &"pw".into()),
            other.digest(7, 1, &"pw".into()),
            "the key is random"
        );
    }
}
