//! The transaction of a batch: one statement on a held connection.
//!
//! It locks the accounts in id order, judges every target, stores what is accepted and answers. A statement whose
//! snapshot is older than a lock it got cannot store twice: the keys' unique indexes and the guard at its end make it
//! fail as a whole, the batch is halved and tried again with a fresh snapshot.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rustc_hash::FxHashMap;
use sqlx::postgres::PgPool;
use sqlx::{Connection, Executor, PgConnection};
use staffetta_chassis::postgres::is_unavailable;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Appended, IdempotencyKey, MailboxId, MailstoreError, Refusal, RefusalReason, TransactionId, UidValidity,
};
use staffetta_packs::{Commit, CommitFailure, Entry, Locking, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{cannot, database, internal};
use crate::hints::{Hint, Hints};
use crate::metrics::BatchMetrics;
use crate::outcome::{Outcome, parse};
use crate::ranges::{column, small, uid};
use crate::store::modseq_from;

/// Takes what can be locked at once.
const SKIP: &str = concat!(
    include_str!("../sql/delivery/lock.sql"),
    "    SKIP LOCKED\n",
    include_str!("../sql/delivery/commit.sql")
);
/// Waits for locks.
const WAIT: &str =
    concat!(include_str!("../sql/delivery/lock.sql"), include_str!("../sql/delivery/commit.sql"));

/// Planning this statement costs more than running it, and every table is reached by its key: one plan, by index.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                        SET enable_mergejoin = off; SET jit = off; SET lock_timeout = '10s'";

/// What a body is recorded with.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) targets: Vec<Target>,
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) skeleton: Vec<u8>,
}

/// One account that gets the message.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) account: AccountId,
    pub(crate) epoch: i32,
    pub(crate) most_bytes: i64,
    pub(crate) most_messages: i64,
    pub(crate) key: Key,
    pub(crate) mailbox: String,
    pub(crate) flags: i16,
    /// Separated by spaces.
    pub(crate) keywords: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
}

/// What makes a repetition known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Delivery(TransactionId),
    Append(IdempotencyKey),
}

/// What became of one target.
#[derive(Debug)]
pub(crate) enum Stored {
    /// Stored by this call.
    Now(Appended),
    /// Stored by an earlier one.
    Before(Option<Outcome>),
}

/// The commit step of mailstore's group commit.
pub(crate) struct DeliveryCommit {
    pool: PgPool,
    hints: Arc<dyn Hints>,
    metrics: BatchMetrics,
    /// One connection for batches, one for those that wait; opened on first use, dropped on any error.
    batch: Mutex<Option<PgConnection>>,
    waiting: Mutex<Option<PgConnection>>,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    entry: i32,
    account_id: i64,
    verdict: i32,
    mailbox_id: Option<i64>,
    outcome: Option<String>,
    uid_validity: Option<i64>,
    uid: Option<i64>,
    modseq: Option<i64>,
}

impl DeliveryCommit {
    /// Commits to `pool` and wakes through `hints`.
    pub(crate) fn new(pool: PgPool, hints: Arc<dyn Hints>, metrics: BatchMetrics) -> Self {
        Self { pool, hints, metrics, batch: Mutex::default(), waiting: Mutex::default() }
    }

    async fn run(&self, entries: &[Entry<Item>], locking: Locking) -> Result<Vec<Row>, sqlx::Error> {
        let (held, sql) = match locking {
            Locking::Skip => (&self.batch, SKIP),
            Locking::Wait => (&self.waiting, WAIT),
        };
        let mut held = held.lock().await;
        if let Some(connection) = held.as_mut() {
            match execute(connection, sql, entries).await {
                // The connection broke, perhaps while idle. The keys make it safe to repeat on a new one, which finds
                // the new primary after a failover.
                Err(error) if is_unavailable(&error) => *held = None,
                Err(error) => return Err(error),
                done => return done,
            }
        }
        let mut connection = self.pool.acquire().await?.detach();
        connection.execute(SETTINGS).await?;
        let done = execute(&mut connection, sql, entries).await;
        if !done.as_ref().is_err_and(is_unavailable) {
            *held = Some(connection);
        }
        done
    }

    /// As [`Self::run`], again with a fresh snapshot after a race. Two entries of one batch that exclude each other
    /// fail every time: they are told apart by halving.
    async fn run_again(&self, entries: &[Entry<Item>], locking: Locking) -> Result<Vec<Row>, sqlx::Error> {
        let mut attempts = if entries.len() == 1 { 5 } else { 2 };
        loop {
            attempts -= 1;
            match self.run(entries, locking).await {
                Err(error) if attempts > 0 && raced(&error) => {
                    tracing::debug!(%error, batch = entries.len(), "batch met a race");
                }
                done => return done,
            }
        }
    }

    /// Closes the held connections.
    pub(crate) async fn close(&self) {
        for held in [&self.batch, &self.waiting] {
            if let Some(connection) = held.lock().await.take() {
                let _ = connection.close().await;
            }
        }
    }
}

#[async_trait]
impl Commit for DeliveryCommit {
    type Item = Item;
    type Output = Vec<(AccountId, Stored)>;
    type Error = MailstoreError;

    async fn commit(
        &self,
        entries: &[Entry<Item>],
        locking: Locking,
    ) -> Result<Vec<Verdict<Self::Output, MailstoreError>>, CommitFailure<MailstoreError>> {
        let begun = Instant::now();
        let rows = match self.run_again(entries, locking).await {
            Ok(rows) => rows,
            Err(error) => {
                self.metrics.failed(begun.elapsed());
                tracing::warn!(%error, batch = entries.len(), ?locking, "batch not committed");
                // A race or a row that cannot be: whoever it is stands alone in the end, the rest goes through.
                return Err(match is_unavailable(&error) {
                    true => CommitFailure::All(database(&error)),
                    false => CommitFailure::Culprit(retryable(database(&error))),
                });
            }
        };
        self.hints.publish(&hints(&rows));
        let mut by_entry: FxHashMap<i32, Vec<Row>> = FxHashMap::default();
        for row in rows {
            by_entry.entry(row.entry).or_default().push(row);
        }
        let verdict = |index: usize| {
            let rows =
                i32::try_from(index).ok().and_then(|index| by_entry.remove(&index)).unwrap_or_default();
            let single = entries[index].item.targets.first().map(|target| target.key);
            verdict(rows, single)
        };
        let verdicts: Vec<_> = (0..entries.len()).map(verdict).collect();
        let left = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Later)).count();
        self.metrics.committed(entries.len() - left, left, begun.elapsed());
        Ok(verdicts)
    }
}

/// Another transaction came between snapshot and lock: a key exists by now, or the guard found a mailbox or pack gone.
fn raced(error: &sqlx::Error) -> bool {
    const UNIQUE_VIOLATION: &str = "23505";
    const DIVISION_BY_ZERO: &str = "22012";
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == UNIQUE_VIOLATION || code == DIVISION_BY_ZERO || code.starts_with("40"))
}

/// A statement that failed without storing anything: the same key may come again.
fn retryable(error: MailstoreError) -> MailstoreError {
    match error {
        MailstoreError::Internal { message } => MailstoreError::Unavailable { message },
        error => error,
    }
}

async fn execute(
    connection: &mut PgConnection,
    sql: &'static str,
    entries: &[Entry<Item>],
) -> Result<Vec<Row>, sqlx::Error> {
    let targets: Vec<(i32, &Target)> = (0_i32..)
        .zip(entries)
        .flat_map(|(index, entry)| entry.item.targets.iter().map(move |target| (index, target)))
        .collect();
    let accounts: BTreeSet<i64> = targets.iter().map(|(_, target)| target.account.0).collect();
    fn each<'a, T, U>(all: &'a [T], part: impl Fn(&'a T) -> U) -> Vec<U> {
        all.iter().map(part).collect()
    }
    let indexes: Vec<i32> = (0_i32..).zip(entries).map(|(index, _)| index).collect();
    sqlx::query_as(sql)
        .bind(accounts.into_iter().collect::<Vec<_>>())
        .bind(indexes)
        .bind(each(entries, |entry| entry.address.pack.id.as_uuid()))
        .bind(each(entries, |entry| entry.address.pack.writer.as_str()))
        .bind(each(entries, |entry| column(entry.address.offset)))
        .bind(each(entries, |entry| column(entry.address.len)))
        .bind(each(entries, |entry| entry.address.checksum.0.as_slice()))
        .bind(each(entries, |entry| entry.item.header.as_deref()))
        .bind(each(entries, |entry| entry.item.skeleton.as_slice()))
        .bind(each(&targets, |(index, _)| *index))
        .bind(each(&targets, |(_, target)| target.account.0))
        .bind(each(&targets, |(_, target)| target.epoch))
        .bind(each(&targets, |(_, target)| target.most_bytes))
        .bind(each(&targets, |(_, target)| target.most_messages))
        .bind(each(&targets, |(_, target)| target.key.delivery()))
        .bind(each(&targets, |(_, target)| target.key.append()))
        .bind(each(&targets, |(_, target)| target.mailbox.as_str()))
        .bind(each(&targets, |(_, target)| target.flags))
        .bind(each(&targets, |(_, target)| target.keywords.as_deref()))
        .bind(each(&targets, |(_, target)| target.received_at))
        .fetch_all(connection)
        .await
}

impl Key {
    fn delivery(self) -> Option<Uuid> {
        match self {
            Self::Delivery(transaction) => Some(transaction.0),
            Self::Append(_) => None,
        }
    }

    fn append(self) -> Option<Uuid> {
        match self {
            Self::Append(key) => Some(key.0),
            Self::Delivery(_) => None,
        }
    }
}

/// The verdicts of `commit.sql`.
mod code {
    pub(super) const STORED: i32 = 0;
    pub(super) const BEFORE: i32 = 1;
    pub(super) const STALE: i32 = 2;
    pub(super) const NO_MAILBOX: i32 = 3;
    pub(super) const NOT_SELECTABLE: i32 = 4;
    pub(super) const OVER_QUOTA: i32 = 5;
    pub(super) const LATER: i32 = 6;
}

/// All rows of one entry become its one verdict.
fn verdict(rows: Vec<Row>, key: Option<Key>) -> Verdict<Vec<(AccountId, Stored)>, MailstoreError> {
    if rows.is_empty() {
        return Verdict::Settled(Err(internal("batch entry without a verdict")));
    }
    if rows.iter().any(|row| row.verdict == code::LATER) {
        return Verdict::Later;
    }
    if let (Some(Key::Append(_)), Some(row)) = (key, rows.first())
        && let Some(error) = append_error(row.verdict)
    {
        return Verdict::Settled(Err(error));
    }
    let refusals: Vec<_> = rows.iter().filter_map(refusal).collect();
    if !refusals.is_empty() {
        return Verdict::Settled(Err(MailstoreError::Refused { refusals }));
    }
    Verdict::Settled(rows.into_iter().map(stored).collect())
}

fn append_error(verdict: i32) -> Option<MailstoreError> {
    match verdict {
        code::STALE => Some(MailstoreError::StaleEpoch),
        code::NO_MAILBOX => Some(MailstoreError::MailboxNotFound),
        code::NOT_SELECTABLE => Some(cannot("mailbox cannot be selected")),
        code::OVER_QUOTA => Some(MailstoreError::OverQuota),
        _ => None,
    }
}

fn refusal(row: &Row) -> Option<Refusal> {
    let reason = match row.verdict {
        code::STALE => RefusalReason::StaleEpoch,
        code::OVER_QUOTA => RefusalReason::OverQuota,
        _ => return None,
    };
    Some(Refusal { account: AccountId(row.account_id), reason })
}

fn stored(row: Row) -> Result<(AccountId, Stored), MailstoreError> {
    let account = AccountId(row.account_id);
    let stored = match (row.verdict, row.uid_validity, row.uid) {
        (code::STORED, Some(uid_validity), Some(number)) => {
            Stored::Now(Appended { uid_validity: UidValidity(small(uid_validity)), uid: uid(number)? })
        }
        (code::BEFORE, _, _) => Stored::Before(row.outcome.as_deref().map(parse).transpose()?),
        (verdict, _, _) => return Err(internal(format!("delivery verdict {verdict}"))),
    };
    Ok((account, stored))
}

/// One wake-up per mailbox.
fn hints(rows: &[Row]) -> Vec<Hint> {
    let mut hints: Vec<Hint> = rows
        .iter()
        .filter_map(|row| {
            Some(Hint::mailbox(
                AccountId(row.account_id),
                MailboxId(row.mailbox_id?),
                modseq_from(row.modseq?),
            ))
        })
        .collect();
    hints.sort_unstable();
    hints.dedup();
    hints
}
