//! Sending budgets: rows of the database, charged in natural batches.
//!
//! - Exact: a budget's row is locked while its charge is decided, whichever pod decides.
//! - One worker per process takes what has arrived while the last batch was written, so a busy account costs one
//!   transaction per batch and not one per message.
//! - A transaction id is charged once: its row in `budget_charge` is looked up under the lock.

mod batch;
mod window;

use std::sync::Arc;

use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::{BudgetCharge, BudgetOutcome, DirectoryError};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::config::BudgetConfig;
use crate::metrics::Metrics;
use batch::{Batch, Request};

/// Where charges are handed in.
pub(crate) struct BudgetKeeper {
    queue: mpsc::Sender<Request>,
    metrics: Metrics,
}

impl BudgetKeeper {
    /// Starts the worker among `tasks`; it ends when the keeper is dropped.
    pub(crate) fn start(
        pool: Pool,
        clock: Arc<dyn Clock>,
        config: BudgetConfig,
        metrics: Metrics,
        tasks: &Tasks,
    ) -> Self {
        let (queue, mut arrived) = mpsc::channel(config.queue);
        let keeper = Self { queue, metrics: metrics.clone() };
        tasks.spawn(async move {
            let mut requests = Vec::with_capacity(config.batch);
            while arrived.recv_many(&mut requests, config.batch).await > 0 {
                metrics.budget_batch(requests.len());
                let batch = Batch::new(requests.drain(..));
                batch.run(&pool, clock.as_ref(), &config).await;
            }
        });
        keeper
    }

    /// See [`staffetta_directory_api::Budgets::charge`].
    pub(crate) async fn charge(&self, charge: BudgetCharge) -> Result<BudgetOutcome, DirectoryError> {
        let (reply, answer) = oneshot::channel();
        let outcome = self.ask(Request::Charge(charge, reply), answer).await;
        self.metrics.budget(match &outcome {
            Ok(BudgetOutcome::Charged) => "charged",
            Ok(BudgetOutcome::Exceeded { .. }) => "exceeded",
            Err(_) => "failed",
        });
        if let Ok(BudgetOutcome::Exceeded { reason, retry_after }) = &outcome {
            tracing::info!(reason, retry_after_s = retry_after.as_secs(), "sending budget is used up");
        }
        outcome
    }

    /// See [`staffetta_directory_api::Budgets::refund`].
    pub(crate) async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Refund(transaction, reply), answer).await
    }

    async fn ask<T>(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let unavailable = |message: &str| DirectoryError::Unavailable { message: message.to_owned() };
        self.queue.try_send(request).map_err(|_| unavailable("too many charges are waiting"))?;
        answer.await.map_err(|_| unavailable("stopping"))?
    }
}
