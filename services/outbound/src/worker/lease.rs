//! Holds a lease for as long as its attempt lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use staffetta_chassis::clock::Clock;
use staffetta_outbound_api::{Lease, QueueError, Schedule};

use crate::client::connection::Fence;

/// One lease.
#[derive(Clone)]
pub struct LeaseKeeper {
    schedule: Arc<dyn Schedule>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    duration: Duration,
    committed: Arc<AtomicBool>,
}

impl LeaseKeeper {
    /// Keeps `lease`, which was just taken for `duration`.
    #[must_use]
    pub fn new(schedule: Arc<dyn Schedule>, clock: Arc<dyn Clock>, lease: Lease, duration: Duration) -> Self {
        Self { schedule, clock, lease, duration, committed: Arc::default() }
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Whether the final dot was sent: the lease is then not given back, as a repetition may be a duplicate.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.committed.load(Ordering::Acquire)
    }

    /// Renews at a third of the duration; ends only when the lease is lost. After the final dot it never ends: what the
    /// server answers is worth waiting for, and settling may still succeed.
    pub async fn hold(&self) {
        let mut renewed_at = self.clock.instant();
        loop {
            self.clock.sleep(self.duration / 3).await;
            let asked_at = self.clock.instant();
            let lost = match self.schedule.renew(&self.lease, self.duration).await {
                Ok(()) => {
                    renewed_at = asked_at;
                    false
                }
                Err(QueueError::LeaseLost) => true,
                // The database is away. Others cannot take over either, until the time is up.
                Err(_) => self.is_over(renewed_at),
            };
            if lost && !self.is_committed() {
                return;
            }
        }
    }

    fn is_over(&self, renewed_at: Instant) -> bool {
        self.clock.instant().saturating_duration_since(renewed_at) >= self.duration
    }
}

#[async_trait]
impl Fence for LeaseKeeper {
    async fn confirm(&self) -> bool {
        let renewed = self.schedule.renew(&self.lease, self.duration).await;
        let ours = renewed.is_ok();
        if ours {
            self.committed.store(true, Ordering::Release);
        }
        ours
    }
}
