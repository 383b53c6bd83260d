//! The queue in memory: for tests of callers, and the model the contract suite is written against.

mod claims;
mod results;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use staffetta_chassis::clock::Clock;
use staffetta_chassis::spool::Spooled;
use tokio::sync::Notify;

use self::state::State;
use crate::{
    Claim, ClaimRequest, ClaimedDelivery, EnqueueRequest, Enqueued, Lease, Queue, QueueError, QueueFilter,
    QueueStats, QueuedMessage, Schedule, Settlement, TransactionId,
};

/// A queue that forgets everything with the process. Finished messages are kept for `show`.
#[derive(Debug)]
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    lifetime: TimeDelta,
    state: Mutex<State>,
    wake: Notify,
}

impl MemoryQueue {
    /// An empty queue whose messages live five days on `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lifetime: TimeDelta::days(5), state: Mutex::default(), wake: Notify::new() }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now().into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, QueueError> {
        request.validate()?;
        let fresh = self.state().insert(request, self.now(), self.lifetime);
        self.wake.notify_one();
        Ok(Enqueued { fresh })
    }

    async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError> {
        Ok(self.state().list(filter))
    }

    async fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
        self.state().show(transaction)
    }

    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
        let hurried = self.state().retry(transaction, self.now())?;
        self.wake.notify_one();
        Ok(hurried)
    }

    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError> {
        self.state().cancel(transaction, self.now())
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        Ok(self.state().stats(self.now()))
    }
}

#[async_trait]
impl Schedule for MemoryQueue {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, QueueError> {
        Ok(self.state().claim(request, self.now()))
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), QueueError> {
        self.state().renew(lease, self.now(), delta(duration))
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), QueueError> {
        self.state().settle(settlement, self.now(), self.lifetime)?;
        self.wake.notify_one();
        Ok(())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), QueueError> {
        self.state().release(leases);
        self.wake.notify_one();
        Ok(())
    }

    async fn body(&self, delivery: &ClaimedDelivery) -> Result<Spooled, QueueError> {
        self.state().body(delivery.transaction)
    }

    async fn wait_due(&self, at_most: Duration) {
        let now = self.now();
        let next = self.state().next_due(now);
        let wait = next.map_or(at_most, |next| (next - now).to_std().unwrap_or_default().min(at_most));
        let sleep = self.clock.sleep(wait);
        tokio::select! {
            () = self.wake.notified() => {}
            () = sleep => {}
        }
    }
}

/// The duration as chrono counts; what does not fit is as good as for ever.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(36_500))
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::clock::Manual;

    use super::*;
    use crate::contract::{Subject, suite};

    struct Fake {
        queue: MemoryQueue,
        clock: Manual,
    }

    #[async_trait]
    impl Subject for Fake {
        fn queue(&self) -> &dyn Queue {
            &self.queue
        }

        fn schedule(&self) -> &dyn Schedule {
            &self.queue
        }

        async fn elapse(&self, duration: Duration) {
            self.clock.advance(duration);
        }
    }

    #[tokio::test]
    async fn contract_holds() {
        suite(async || {
            let clock = Manual::at_unix(1_795_000_000);
            Fake { queue: MemoryQueue::new(Arc::new(clock.clone())), clock }
        })
        .await;
    }
}
