//! Decorator for tests and benches: failures and delays on demand.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use staffetta_chassis::spool::Spooled;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::error::{StoreError, StoreErrorKind};

/// Kinds of calls a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `put` and `put_stream`.
    Put,
    /// `get_range` and `get_stream`.
    Get,
    /// `head`.
    Head,
    /// `delete`.
    Delete,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The call is not made and fails.
    Fail,
    /// The call is made and its success is reported as a failure.
    LoseAnswer,
}

#[derive(Debug, Default)]
struct Plan {
    faults: HashMap<Operation, (Fault, u32)>,
    delays: HashMap<Operation, Duration>,
    calls: HashMap<Operation, u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    plan: Mutex<Plan>,
}

impl Faulty {
    /// Wraps `inner`; behaves until told otherwise.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `times` calls of `operation` meet `fault`; 0 ends it.
    pub fn inject(&self, operation: Operation, fault: Fault, times: u32) {
        self.plan().faults.insert(operation, (fault, times));
    }

    /// Every call of `operation` takes at least this much longer.
    pub fn delay(&self, operation: Operation, delay: Duration) {
        self.plan().delays.insert(operation, delay);
    }

    /// Calls of `operation` so far, failed ones included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.plan().calls.get(&operation).copied().unwrap_or(0)
    }

    fn next(&self, operation: Operation) -> (Option<Fault>, Option<Duration>) {
        let mut plan = self.plan();
        *plan.calls.entry(operation).or_default() += 1;
        let delay = plan.delays.get(&operation).copied();
        let fault = match plan.faults.get_mut(&operation) {
            Some((fault, times)) if *times > 0 => {
                *times -= 1;
                Some(*fault)
            }
            _ => None,
        };
        (fault, delay)
    }

    async fn meet<T>(
        &self,
        operation: Operation,
        key: &str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let (fault, delay) = self.next(operation);
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        match fault {
            None => call.await,
            Some(Fault::Fail) => Err(StoreError::new(StoreErrorKind::Unavailable, key)),
            Some(Fault::LoseAnswer) => {
                call.await?;
                Err(StoreError::new(StoreErrorKind::Unavailable, key))
            }
        }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        self.meet(Operation::Put, key, self.inner.put(key, pieces)).await
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        self.meet(Operation::Put, key, self.inner.put_stream(key, body)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.meet(Operation::Get, key, self.inner.get_range(key, range)).await
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        self.meet(Operation::Get, key, self.inner.get_stream(key, range)).await
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        self.meet(Operation::Head, key, self.inner.head(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.meet(Operation::Delete, key, self.inner.delete(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        self.inner.list(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract_when_nothing_is_injected() {
        super::super::contract::suite(|| async { Faulty::new(Arc::new(MemoryStore::default())) }).await;
    }
}
