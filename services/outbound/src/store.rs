//! The queue in Postgres and object storage.
//!
//! Invariants
//! - `enqueue` answers after one PUT and one transaction, shared with all that arrived meanwhile.
//! - Times are Postgres' clock; a worker's own clock decides nothing about leases.
//! - Who leases deliveries of a destination holds the destination's row, so limits per destination are exact over all pods.
//! - `destination.due_at` is never later than the earliest due delivery (it may be earlier, then a look costs a little).
//! - Settles of one message are serialised by its row: the last one notices that it is the last.

mod accept;
mod housekeeping;
mod inspect;
mod lease;
mod settle;
mod statements;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use sqlx::migrate::Migrator;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::{Pool, PostgresError};
use staffetta_chassis::spool::{SpoolBudget, Spooled};
use staffetta_outbound_api::{
    Claim, ClaimRequest, ClaimedDelivery, EnqueueRequest, Enqueued, Lease, Queue, QueueError, QueueFilter,
    QueueStats, QueuedMessage, Schedule, Settlement, TransactionId,
};
use staffetta_packs::{
    BodyAddress, Checksum, ObjectStore, PackConfig, PackId, PackName, PackReader, PackWriter, Prefix,
    WriterId,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::accept::{Acceptance, Accepted, Item};
use crate::error::{database, spool, storage, submit};

/// The schema's history.
static MIGRATOR: Migrator = sqlx::migrate!();

/// What the queue needs besides the database.
#[derive(Debug)]
pub struct Storage {
    /// Where bodies are kept.
    pub store: Arc<dyn ObjectStore>,
    /// First part of their keys.
    pub prefix: Prefix,
    /// Who writes, as part of a pack's name.
    pub writer: WriterId,
    /// Group commit.
    pub packs: PackConfig,
    /// Packs written at once.
    pub in_flight: usize,
    /// Where bodies wait that are read back.
    pub spool: SpoolBudget,
}

/// The queue; clones share it.
#[derive(Clone)]
pub struct PostgresQueue {
    pool: Pool,
    writer: PackWriter<Acceptance>,
    reader: PackReader,
    spool: SpoolBudget,
    wake: Arc<Notify>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for PostgresQueue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PostgresQueue").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl PostgresQueue {
    /// Brings the schema up to date and starts the pack writer, whose task ends after the last clone is dropped.
    ///
    /// # Errors
    /// A migration fails.
    pub async fn start(
        pool: Pool,
        storage: Storage,
        clock: Arc<dyn Clock>,
        lifetime: Duration,
    ) -> Result<(Self, JoinHandle<()>), PostgresError> {
        pool.migrate(&MIGRATOR).await?;
        let wake = Arc::new(Notify::new());
        let acceptance = Arc::new(Acceptance::new(pool.clone(), lifetime, Arc::clone(&wake)));
        let reader = PackReader::new(Arc::clone(&storage.store), storage.prefix.clone());
        let name = (storage.prefix, storage.writer);
        let (writer, task) = PackWriter::start(
            storage.store,
            acceptance,
            clock.clone(),
            name,
            &storage.packs,
            storage.in_flight,
        );
        Ok((Self { pool, writer, reader, spool: storage.spool, wake, lifetime, clock }, task))
    }

    async fn submit(&self, body: Spooled, item: Item) -> Result<Accepted, QueueError> {
        let checksum = checksum(&body).await.map_err(|error| spool(&error))?;
        self.writer.submit(body, checksum, item).await.map_err(submit)
    }
}

#[async_trait]
impl Queue for PostgresQueue {
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, QueueError> {
        request.validate()?;
        let began = self.clock.instant();
        let (transaction, body) = (request.transaction, request.body.clone());
        let sender = request.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let recipients: Vec<String> = request.recipients.iter().map(ToString::to_string).collect();
        let size = body.len();
        let outcome = self.submit(body, Item::message(request)).await;
        let elapsed = self.clock.instant().saturating_duration_since(began);
        let result = match &outcome {
            Ok(accepted) if accepted.fresh => "queued".to_owned(),
            Ok(_) => "known already".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::info!(
            %transaction, sender, recipients = recipients.join(" "), size, result,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "enqueue",
        );
        Ok(Enqueued { fresh: outcome?.fresh })
    }

    async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError> {
        inspect::list(&self.pool, filter).await
    }

    async fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
        inspect::show(&self.pool, transaction).await
    }

    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
        let hurried = inspect::retry(&self.pool, transaction).await?;
        self.wake.notify_one();
        Ok(hurried)
    }

    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError> {
        inspect::cancel(&self.pool, transaction).await
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        inspect::stats(&self.pool).await
    }
}

#[async_trait]
impl Schedule for PostgresQueue {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, QueueError> {
        lease::claim(&self.pool, request).await
    }

    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), QueueError> {
        lease::renew(&self.pool, lease, duration).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), QueueError> {
        // The notices' bodies first: a body that no message names, because the settle then fails, is merely dead.
        let mut notices = Vec::with_capacity(settlement.notices.len());
        for notice in &settlement.notices {
            let accepted = self.submit(notice.body.clone().into(), Item::Body).await?;
            notices.push((notice, accepted.body));
        }
        settle::settle(&self.pool, &settlement, &notices, self.lifetime).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), QueueError> {
        lease::release(&self.pool, leases).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn body(&self, delivery: &ClaimedDelivery) -> Result<Spooled, QueueError> {
        let address = address(&self.pool, delivery.transaction).await?;
        let mut chunks = self.reader.stream(&address, 0..address.len).await.map_err(|e| storage(&e))?;
        let mut writer = self.spool.writer();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| storage(&error))?;
            writer.write(chunk).await.map_err(|error| spool(&error))?;
        }
        writer.finish().await.map_err(|error| spool(&error))
    }

    async fn wait_due(&self, at_most: Duration) {
        // An enqueue in this process wakes us; what other pods queue is theirs first and ours at the next poll.
        let woken = self.wake.notified();
        let next = match housekeeping::calm_and_look(&self.pool).await {
            Ok(next) => next.unwrap_or(at_most).min(at_most),
            Err(error) => {
                tracing::warn!(%error, "queue could not be looked at");
                at_most
            }
        };
        // Ends when woken, or with the time.
        let _ = tokio::time::timeout(next, woken).await;
    }
}

impl PostgresQueue {
    /// Removes history older than `retention`, and destinations nobody writes to any more; answers how many messages.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge(&self, retention: Duration) -> Result<u64, QueueError> {
        housekeeping::purge(&self.pool, retention).await
    }
}

async fn address(pool: &Pool, transaction: TransactionId) -> Result<BodyAddress, QueueError> {
    let row: Option<(Uuid, String, i64, i64, Vec<u8>)> = sqlx::query_as(statements::BODY_ADDRESS)
        .bind(transaction.0)
        .fetch_optional(pool.inner())
        .await
        .map_err(database)?;
    let (pack, writer, offset, len, checksum) =
        row.ok_or_else(|| QueueError::NotFound { what: format!("body of transaction {transaction}") })?;
    let checksum = Checksum::from_slice(&checksum)
        .ok_or_else(|| QueueError::Internal { message: format!("checksum of {transaction} is malformed") })?;
    let pack = PackName { id: PackId::from_uuid(pack), writer: WriterId::new(&writer) };
    Ok(BodyAddress { pack, offset: offset.cast_unsigned(), len: len.cast_unsigned(), checksum })
}

async fn checksum(body: &Spooled) -> std::io::Result<Checksum> {
    let mut hasher = staffetta_packs::address::ChecksumHasher::default();
    let mut chunks = body.stream();
    while let Some(chunk) = chunks.next().await {
        hasher.update(&chunk?);
    }
    Ok(hasher.finish())
}

/// Seconds as Postgres' `make_interval` takes them.
fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
