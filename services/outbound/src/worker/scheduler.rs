//! The loop that claims what is due, never more than can start at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::drain::Draining;
use staffetta_chassis::tasks::Tasks;
use staffetta_outbound_api::{ClaimRequest, ClaimedDelivery, Lease, Schedule};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::attempt::Attempts;
use super::lease::LeaseKeeper;
use crate::config::ScheduleConfig;

/// The scheduler; clones share it.
#[derive(Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

struct Shared {
    schedule: Arc<dyn Schedule>,
    attempts: Attempts,
    config: ScheduleConfig,
    worker: String,
    free: Arc<Semaphore>,
    tasks: Tasks,
    held: Mutex<HashMap<Uuid, LeaseKeeper>>,
}

impl Scheduler {
    /// A scheduler whose attempts run in `tasks`, known as `worker` in the history.
    #[must_use]
    pub fn new(attempts: Attempts, config: ScheduleConfig, worker: String, tasks: Tasks) -> Self {
        let free = Arc::new(Semaphore::new(config.workers.max(1) as usize));
        let schedule = Arc::clone(&attempts.schedule);
        let held = Mutex::default();
        Self { shared: Arc::new(Shared { schedule, attempts, config, worker, free, tasks, held }) }
    }

    /// Works until the drain starts; what is in flight then goes on in its tasks.
    pub async fn run(self, draining: Draining) {
        let mut failures = 0;
        while !draining.is_draining() {
            let permit = tokio::select! {
                biased;
                () = draining.draining() => break,
                permit = Arc::clone(&self.shared.free).acquire_owned() => permit,
            };
            let Ok(permit) = permit else { break };
            match self.claim(permit).await {
                Ok(false) => failures = 0,
                Ok(true) => {
                    failures = 0;
                    tokio::select! {
                        biased;
                        () = draining.draining() => break,
                        () = self.shared.schedule.wait_due(self.shared.config.poll) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "nothing could be claimed");
                    let pause = self.shared.attempts.clock.sleep(Backoff::default().delay(failures));
                    failures = failures.saturating_add(1);
                    tokio::select! {
                        () = draining.draining() => break,
                        () = pause => {}
                    }
                }
            }
        }
    }

    /// Gives back the leases of attempts that were cut before their point of no return.
    pub async fn release(&self) {
        let keepers: Vec<LeaseKeeper> = self.shared.held().drain().map(|(_, keeper)| keeper).collect();
        let leases: Vec<Lease> =
            keepers.iter().filter(|keeper| !keeper.is_committed()).map(LeaseKeeper::lease).collect();
        if leases.is_empty() {
            return;
        }
        match self.shared.schedule.release(&leases).await {
            Ok(()) => tracing::info!(count = leases.len(), "leases given back"),
            Err(error) => tracing::warn!(%error, "leases are left to expire"),
        }
    }

    /// Attempts under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.held().len()
    }

    /// Claims as much as there are free workers and starts it; whether that was all there is.
    async fn claim(&self, first: OwnedSemaphorePermit) -> Result<bool, staffetta_outbound_api::QueueError> {
        let more = self.shared.free.available_permits();
        let limit = u32::try_from(more + 1).unwrap_or(u32::MAX).min(self.shared.config.batch.max(1));
        let request = ClaimRequest {
            worker: self.shared.worker.clone(),
            limit,
            per_destination: self.shared.config.per_destination,
            lease: self.shared.config.lease,
        };
        let claim = self.shared.schedule.claim(&request).await?;
        let drained = claim.deliveries.len() < limit as usize;
        let mut first = Some(first);
        for delivery in claim.deliveries {
            let permit = first.take().or_else(|| Arc::clone(&self.shared.free).try_acquire_owned().ok());
            // Only this loop takes permits, so those counted above are still there.
            if let Some(permit) = permit {
                self.start(delivery, permit);
            }
        }
        Ok(drained)
    }

    fn start(&self, delivery: ClaimedDelivery, permit: OwnedSemaphorePermit) {
        let shared = Arc::clone(&self.shared);
        let keeper = LeaseKeeper::new(
            Arc::clone(&shared.schedule),
            Arc::clone(&shared.attempts.clock),
            delivery.lease,
            shared.config.lease,
        );
        let id = delivery.lease.delivery;
        shared.held().insert(id, keeper.clone());
        self.shared.tasks.spawn(async move {
            shared.attempts.run(delivery, &keeper).await;
            // A later lease of the same delivery may be ours too, by now.
            shared.held().retain(|_, held| held.lease() != keeper.lease());
            drop(permit);
        });
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, LeaseKeeper>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
