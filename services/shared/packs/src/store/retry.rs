//! Decorator: repeats what failed for a passing reason.
//!
//! Safe because keys are unique: a PUT whose answer was lost finds its own object on the next
//! attempt, and takes it as success if the length agrees.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use staffetta_chassis::spool::Spooled;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::error::{StoreError, StoreErrorKind};

/// How often and how patiently.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in all.
    pub attempts: u32,
    /// Wait before the second attempt; doubles, with jitter of up to half of it.
    pub first_wait: Duration,
    /// One attempt may take this long; streamed bodies get ten times as much.
    pub attempt_timeout: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts within about half a second of waiting; 10 s for one attempt.
    fn default() -> Self {
        Self { attempts: 4, first_wait: Duration::from_millis(50), attempt_timeout: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    fn wait(&self, attempt: u32) -> Duration {
        let base = self.first_wait.saturating_mul(1 << attempt.min(10));
        base.mul_f64(rand::random_range(0.5..1.0))
    }
}

/// See the module.
#[derive(Debug)]
pub struct Retried {
    inner: Arc<dyn ObjectStore>,
    policy: RetryPolicy,
}

impl Retried {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }

    /// The last outcome, and how many attempts failed before it.
    async fn repeat<T, F>(
        &self,
        key: &str,
        limit: Duration,
        attempt: impl Fn() -> F + Send,
    ) -> (Result<T, StoreError>, u32)
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut failed = 0;
        loop {
            let outcome = match tokio::time::timeout(limit, attempt()).await {
                Ok(outcome) => outcome,
                Err(late) => Err(StoreError::caused(StoreErrorKind::Unavailable, key, late)),
            };
            match outcome {
                Ok(done) => return (Ok(done), failed),
                Err(error) if error.is_temporary() && failed + 1 < self.policy.attempts => {
                    tracing::warn!(
                        key,
                        failed,
                        error = &error as &dyn std::error::Error,
                        "store call repeated"
                    );
                    tokio::time::sleep(self.policy.wait(failed)).await;
                    failed += 1;
                }
                Err(error) => return (Err(error), failed),
            }
        }
    }

    /// After a failed attempt "already exists" may mean our own object.
    async fn settle(
        &self,
        key: &str,
        len: u64,
        (outcome, failed): (Result<(), StoreError>, u32),
    ) -> Result<(), StoreError> {
        match outcome {
            Err(error) if error.kind() == StoreErrorKind::AlreadyExists && failed > 0 => {
                if self.inner.head(key).await?.size == len { Ok(()) } else { Err(error) }
            }
            outcome => outcome,
        }
    }
}

#[async_trait]
impl ObjectStore for Retried {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        let put = self.repeat(key, self.policy.attempt_timeout, || self.inner.put(key, pieces));
        let outcome = put.await;
        self.settle(key, len, outcome).await
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        let limit = self.policy.attempt_timeout * 10;
        let outcome = self.repeat(key, limit, || self.inner.put_stream(key, body)).await;
        self.settle(key, body.len(), outcome).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let limit = self.policy.attempt_timeout;
        let read = self.repeat(key, limit, || self.inner.get_range(key, range.clone()));
        read.await.0
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let limit = self.policy.attempt_timeout;
        let opened = self.repeat(key, limit, || self.inner.get_stream(key, range.clone()));
        opened.await.0
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        let limit = self.policy.attempt_timeout;
        self.repeat(key, limit, || self.inner.head(key)).await.0
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let limit = self.policy.attempt_timeout;
        self.repeat(key, limit, || self.inner.delete(key)).await.0
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        self.inner.list(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{Fault, Faulty, Operation};
    use super::super::memory::MemoryStore;
    use super::*;

    fn retried(inner: Arc<dyn ObjectStore>) -> Retried {
        Retried::new(inner, RetryPolicy { first_wait: Duration::from_millis(1), ..RetryPolicy::default() })
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        super::super::contract::suite(|| async { retried(Arc::new(MemoryStore::default())) }).await;
    }

    #[tokio::test]
    async fn a_passing_failure_is_not_seen() {
        let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        faulty.inject(Operation::Put, Fault::Fail, 3);
        faulty.inject(Operation::Get, Fault::Fail, 2);
        let store = retried(faulty);
        store.put("a/b", &[Bytes::from_static(b"x")]).await.unwrap();
        assert_eq!(store.get_range("a/b", 0..1).await.unwrap(), "x");
    }

    #[tokio::test]
    async fn a_put_whose_answer_was_lost_is_a_success() {
        let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        faulty.inject(Operation::Put, Fault::LoseAnswer, 1);
        let store = retried(faulty);
        store.put("a/b", &[Bytes::from_static(b"x")]).await.unwrap();
    }

    #[tokio::test]
    async fn a_taken_key_stays_an_error() {
        let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        faulty.put("a/b", &[Bytes::from_static(b"other")]).await.unwrap();
        faulty.inject(Operation::Put, Fault::Fail, 1);
        let store = retried(faulty);
        let error = store.put("a/b", &[Bytes::from_static(b"x")]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    }

    #[tokio::test]
    async fn attempts_are_bounded() {
        let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        faulty.inject(Operation::Put, Fault::Fail, 100);
        let error = retried(faulty.clone()).put("a/b", &[]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(faulty.calls(Operation::Put), 4);
    }
}
