//! Background work that is counted: a service ends only when its tasks have, or when the budget is spent.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A set of tasks that end together. Clones share the set.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` until it ends or the set is stopped hard.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = future => {}
            }
        });
    }

    /// How many tasks have not ended.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether every task has ended.
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    /// Ends when the set is stopped hard; for loops that live as long as the service.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until every task has ended by itself, `budget` at most, then drops what is left at its next
    /// await. Returns whether all ended by themselves.
    pub async fn finish(&self, budget: Duration) -> bool {
        self.tracker.close();
        let by_themselves = tokio::time::timeout(budget, self.tracker.wait()).await.is_ok();
        self.stop().await;
        by_themselves
    }

    /// Drops every task at its next await, without waiting.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Drops every task at its next await and waits for that.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finish_waits_for_tasks_and_reports_stragglers() {
        let tasks = Tasks::new();
        let (ended, mut end) = tokio::sync::oneshot::channel();
        tasks.spawn(async move {
            tokio::task::yield_now().await;
            let _ = ended.send(());
        });
        assert!(tasks.finish(Duration::from_secs(5)).await);
        assert_eq!(end.try_recv(), Ok(()));

        let stuck = Tasks::new();
        stuck.spawn(std::future::pending());
        assert!(!stuck.finish(Duration::from_millis(1)).await);
        assert!(stuck.is_empty());
    }
}
