//! Group commit: bodies that arrive together share one object and one transaction.
//!
//! Batching is natural: there is no timer. While one pack is being written, arrivals wait; what
//! waits when it is done is the next pack. The cost of a delivery falls as load rises.
//!
//! Order: PUT, then the owner's [`Commit`], then the answers. An entry that has to wait for a lock
//! leaves its batch (its bytes are already durable) and is committed by a second lane, so that one
//! busy account delays nobody else. A batch that fails because of one entry is halved until the
//! culprit stands alone.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::spool::Spooled;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::address::{BodyAddress, Checksum, PackId, PackName, Prefix, WriterId};
use crate::config::PackConfig;
use crate::error::StoreError;
use crate::store::ObjectStore;

mod batch;
#[cfg(test)]
mod tests;

/// A pack older than this is never committed.
pub const MAX_PACK_AGE: TimeDelta = TimeDelta::hours(1);

/// One body of a batch, durable at its address, with what the owner wants to record about it.
#[derive(Debug)]
pub struct Entry<T> {
    /// Where the body lies.
    pub address: BodyAddress,
    /// The owner's part.
    pub item: T,
}

/// Whether a commit may wait for row locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// Take what can be locked at once; answer [`Verdict::Later`] for the rest.
    Skip,
    /// Wait: these entries have left a batch before.
    Wait,
}

/// What became of one entry of a committed transaction.
#[derive(Debug, Clone)]
pub enum Verdict<O, E> {
    /// Decided: committed, or refused for this entry alone.
    Settled(Result<O, E>),
    /// Not part of the transaction; commit it again with [`Locking::Wait`].
    Later,
}

/// A transaction that did not commit (or may not have).
#[derive(Debug, Clone)]
pub enum CommitFailure<E> {
    /// No entry is at fault (the database is away): all get this error.
    All(E),
    /// Some entry is at fault: halve and try again; the last one alone gets this error.
    Culprit(E),
}

/// The owner's transaction. Must be idempotent by the owner's keys, as a batch can be split after
/// an outcome that stayed unknown.
#[async_trait]
pub trait Commit: Send + Sync + 'static {
    /// What the owner records about a body.
    type Item: Send + Sync + 'static;
    /// What the submitter learns.
    type Output: Send + 'static;
    /// Why an entry was refused.
    type Error: Clone + Send + 'static;

    /// ONE transaction that acknowledges `entries`; a verdict for each, in order. Entries may lie
    /// in several packs.
    async fn commit(
        &self,
        entries: &[Entry<Self::Item>],
        locking: Locking,
    ) -> Result<Vec<Verdict<Self::Output, Self::Error>>, CommitFailure<Self::Error>>;
}

/// Why a submission failed. Nothing was acknowledged; the same key may be submitted again.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError<E> {
    /// The body could not be made durable.
    #[error("body not stored")]
    Store(#[from] StoreError),
    /// The spooled body could not be read back.
    #[error("body not readable")]
    Body(#[source] Arc<std::io::Error>),
    /// The owner's transaction refused or failed.
    #[error("not committed")]
    Commit(E),
    /// The pack grew too old before its commit.
    #[error("pack too old to commit")]
    Stale,
    /// The writer has been shut down.
    #[error("writer closed")]
    Closed,
}

type Answer<C> = Result<<C as Commit>::Output, SubmitError<<C as Commit>::Error>>;

/// A submission on its way.
struct Submission<C: Commit> {
    body: Placement,
    item: C::Item,
    answer: oneshot::Sender<Answer<C>>,
}

enum Placement {
    /// To be packed with others.
    Waiting(Spooled, Checksum),
    /// Already durable in a pack of its own.
    Durable(BodyAddress),
}

impl Placement {
    fn packed_len(&self) -> u64 {
        match self {
            Self::Waiting(body, _) => body.len(),
            Self::Durable(_) => 0,
        }
    }
}

/// What the writer and its submitters share.
#[derive(Debug, Clone)]
struct Target {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    prefix: Prefix,
    writer: WriterId,
}

impl Target {
    fn new_pack(&self) -> PackName {
        PackName { id: PackId::new(self.clock.now().into()), writer: self.writer.clone() }
    }
}

/// Handle for submitters; clones share one writer.
pub struct PackWriter<C: Commit> {
    sender: mpsc::Sender<Submission<C>>,
    target: Target,
    large_body: u64,
    large: Arc<Semaphore>,
}

impl<C: Commit> Clone for PackWriter<C> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            target: self.target.clone(),
            large_body: self.large_body,
            large: self.large.clone(),
        }
    }
}

impl<C: Commit> PackWriter<C> {
    /// Starts the writer task. It ends, with everything answered, when the last handle is dropped:
    /// await the returned handle then.
    pub fn start(
        store: Arc<dyn ObjectStore>,
        commit: Arc<C>,
        clock: Arc<dyn Clock>,
        (prefix, writer): (Prefix, WriterId),
        config: &PackConfig,
        in_flight: usize,
    ) -> (Self, JoinHandle<()>) {
        let target = Target { store, clock, prefix, writer };
        let (sender, receiver) = mpsc::channel(config.max_batch_items.max(1) * 2);
        let batcher = batch::Batcher::new(target.clone(), commit, config.clone(), in_flight.max(1));
        let task = tokio::spawn(batcher.run(receiver));
        let large = Arc::new(Semaphore::new(config.large_in_flight.max(1)));
        (Self { sender, target, large_body: config.large_body, large }, task)
    }

    /// Makes `body` durable and commits `item`. `checksum` is that of the body, computed when it
    /// arrived. If the caller goes away the submission still happens.
    pub async fn submit(&self, body: Spooled, checksum: Checksum, item: C::Item) -> Answer<C> {
        let body = if body.len() > self.large_body {
            Placement::Durable(self.put_alone(&body, checksum).await?)
        } else {
            Placement::Waiting(body, checksum)
        };
        let (answer, answered) = oneshot::channel();
        let sent = self.sender.send(Submission { body, item, answer }).await;
        sent.map_err(|_| SubmitError::Closed)?;
        answered.await.map_err(|_| SubmitError::Closed)?
    }

    /// A pack of its own, streamed.
    async fn put_alone(
        &self,
        body: &Spooled,
        checksum: Checksum,
    ) -> Result<BodyAddress, SubmitError<C::Error>> {
        let _permit = self.large.acquire().await.map_err(|_| SubmitError::Closed)?;
        let pack = self.target.new_pack();
        self.target.store.put_stream(&pack.key(&self.target.prefix), body).await?;
        Ok(BodyAddress { pack, offset: 0, len: body.len(), checksum })
    }
}
