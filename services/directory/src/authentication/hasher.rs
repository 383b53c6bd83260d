//! argon2id on a bounded pool: a storm of logins is otherwise a way to use up memory.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use staffetta_directory_api::DirectoryError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::HashingConfig;
use crate::metrics::Metrics;

/// Computes and compares password hashes (PHC strings), a few at a time.
pub(crate) struct Hasher {
    params: Params,
    /// One permit for each hash that is computed.
    workers: Arc<Semaphore>,
    /// One permit for each hash that is computed or waits.
    places: Arc<Semaphore>,
    /// What unknown logins are compared with.
    decoy: String,
    metrics: Metrics,
}

/// Counts a hash as long as it lives.
struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Metrics,
}

impl Hasher {
    /// Takes about one hash's time: it makes the decoy.
    pub(crate) fn new(config: &HashingConfig, metrics: Metrics) -> anyhow::Result<Self> {
        let params = Params::new(config.memory_kib, config.passes, config.lanes, None)
            .map_err(|error| anyhow::anyhow!("hashing parameters: {error}"))?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = if config.workers == 0 { cores } else { config.workers };
        let nobody_knows: [u8; 32] = rand::random();
        let decoy = compute(&params, &nobody_knows).map_err(|error| anyhow::anyhow!("hashing: {error}"))?;
        Ok(Self {
            params,
            workers: Arc::new(Semaphore::new(workers)),
            places: Arc::new(Semaphore::new(workers + config.queue)),
            decoy,
            metrics,
        })
    }

    /// Whether `password` belongs to `secret`; without a secret the answer is no, after the same time.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`] when the queue is full.
    pub(crate) async fn verify(
        &self,
        secret: Option<&str>,
        password: &SecretString,
    ) -> Result<bool, DirectoryError> {
        let known = secret.is_some();
        let (secret, password) = (secret.unwrap_or(&self.decoy).to_owned(), password.clone());
        let right = self.run(move || is_right(&secret, password.expose_secret().as_bytes())).await?;
        Ok(known && right)
    }

    /// The PHC string of `password`.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`] when the queue is full.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, DirectoryError> {
        let (params, password) = (self.params.clone(), password.clone());
        self.run(move || compute(&params, password.expose_secret().as_bytes()))
            .await?
            .map_err(|error| DirectoryError::Internal { message: format!("hashing failed: {error}") })
    }

    /// Whether `secret` was made with other parameters than today's.
    pub(crate) fn is_outdated(&self, secret: &str) -> bool {
        let Ok(hash) = PasswordHash::new(secret) else { return false };
        Params::try_from(&hash).map_or(true, |params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                != (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let unavailable = |message: &str| DirectoryError::Unavailable { message: message.to_owned() };
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map(|permit| Place::new(permit, &self.metrics))
            .map_err(|_| unavailable("too many passwords wait to be hashed"))?;
        let worker = Arc::clone(&self.workers).acquire_owned().await;
        let worker = worker.map_err(|_| unavailable("stopping"))?;
        // The permits move into the work: a caller that goes away does not free a worker that is still busy.
        let work = move || {
            let _held = (place, worker);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| unavailable("stopping"))
    }
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, metrics: &Metrics) -> Self {
        metrics.hashing(1);
        Self { _permit: permit, metrics: metrics.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.hashing(-1);
    }
}

fn compute(params: &Params, password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Argon2::from(params).hash_password(password).map(|hash| hash.to_string())
}

/// The parameters come from the hash itself.
fn is_right(secret: &str, password: &[u8]) -> bool {
    PasswordHash::new(secret).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::process::Context;

    use super::*;

    fn hasher(passes: u32, workers: usize, queue: usize) -> Hasher {
        let config = HashingConfig { memory_kib: 8, passes, lanes: 1, workers, queue };
        Hasher::new(&config, Metrics::new(&Context::for_tests().meter)).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_every_hash_has_its_own_salt() {
        let hasher = hasher(1, 1, 8);
        let password = SecretString::from("correct horse");
        let (one, two) = (hasher.hash(&password).await.unwrap(), hasher.hash(&password).await.unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{one}");
        assert!(hasher.verify(Some(&one), &password).await.unwrap());
        assert!(!hasher.verify(Some(&one), &"correct".into()).await.unwrap());
        assert!(!hasher.verify(Some("garbage"), &password).await.unwrap());
        assert!(!hasher.verify(None, &password).await.unwrap());
    }

    #[tokio::test]
    async fn hash_with_other_parameters_is_right_but_outdated() {
        let (old, new) = (hasher(1, 1, 8), hasher(2, 1, 8));
        let password = SecretString::from("pw");
        let secret = old.hash(&password).await.unwrap();
        assert!(new.verify(Some(&secret), &password).await.unwrap());
        assert!(new.is_outdated(&secret) && !old.is_outdated(&secret));
    }

    #[tokio::test]
    async fn full_queue_answers_unavailable_and_recovers() {
        let hasher = hasher(1, 1, 1);
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let busy = hasher.run(move || blocked.recv());
        let waiting = hasher.run(|| ());
        let mut both = std::pin::pin!(futures_util::future::join(busy, waiting));
        assert!(futures_util::poll!(both.as_mut()).is_pending());
        let answer = hasher.verify(None, &"pw".into()).await;
        assert!(matches!(answer, Err(DirectoryError::Unavailable { .. })), "{answer:?}");
        release.send(()).unwrap();
        both.await.1.unwrap();
        assert!(!hasher.verify(None, &"pw".into()).await.unwrap());
    }
}
