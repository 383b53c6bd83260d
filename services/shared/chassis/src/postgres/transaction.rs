//! Transactions by name: begun, repeated when Postgres asks for it, measured.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use sqlx::{PgConnection, Postgres};

use super::Pool;
use super::errors::repeatable;
use crate::backoff::Backoff;
use crate::process::Context;
use crate::telemetry::SECONDS_BUCKETS;

/// Attempts of one transaction; beyond it the conflict is the caller's.
const ATTEMPTS: u32 = 10;
const BETWEEN_ATTEMPTS: Backoff =
    Backoff { initial: Duration::from_millis(2), max: Duration::from_millis(200), factor: 2.0, jitter: 1.0 };

/// What a transaction sees of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it; right with explicit row locks.
    ReadCommitted,
    /// All statements see one snapshot.
    RepeatableRead,
    /// As if one transaction ran after the other.
    Serializable,
    /// One snapshot, nothing is written.
    Snapshot,
}

impl Isolation {
    fn begin(self) -> &'static str {
        match self {
            Self::ReadCommitted => "BEGIN",
            Self::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Self::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Self::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// The connection inside a transaction: `query.execute(&mut **tx)`.
///
/// `'a` is the life of what the closure borrows from outside: that is how it may borrow at all.
pub struct Tx<'a> {
    inner: sqlx::Transaction<'static, Postgres>,
    outside: PhantomData<&'a ()>,
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tx")
    }
}

impl Deref for Tx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// The error of a transaction's closure.
pub trait TransactionError: From<sqlx::Error> {
    /// The database's error, when it is one.
    fn database(&self) -> Option<&sqlx::Error>;
}

impl TransactionError for sqlx::Error {
    fn database(&self) -> Option<&sqlx::Error> {
        Some(self)
    }
}

/// A ready-made [`TransactionError`]: the database's or one's own.
#[derive(Debug, thiserror::Error)]
pub enum TxError<E> {
    /// The database failed.
    #[error("database failed")]
    Database(#[source] sqlx::Error),
    /// The closure decided so; the transaction was rolled back.
    #[error("{0}")]
    Domain(E),
}

impl<E> From<sqlx::Error> for TxError<E> {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl<E> TransactionError for TxError<E> {
    fn database(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) => Some(error),
            Self::Domain(_) => None,
        }
    }
}

impl Pool {
    /// Runs `work` in a transaction (READ COMMITTED) and commits when it returns `Ok`, rolls back otherwise.
    ///
    /// `work` runs again after a serialization failure or a deadlock, so it must be repeatable: no effect
    /// outside the transaction. Write it as `|tx| Box::pin(async move { .. })`; it may borrow from outside.
    ///
    /// # Errors
    /// What `work` returned, or the database's error; after a failed commit the outcome is unknown.
    pub async fn transaction<'a, T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        F: for<'c> FnMut(&'c mut Tx<'a>) -> BoxFuture<'c, Result<T, E>> + Send,
        E: TransactionError + Send,
        T: Send,
    {
        self.transaction_at(name, Isolation::ReadCommitted, work).await
    }

    /// As [`Self::transaction`] at another isolation.
    ///
    /// # Errors
    /// As [`Self::transaction`].
    pub async fn transaction_at<'a, T, E, F>(
        &self,
        name: &'static str,
        isolation: Isolation,
        mut work: F,
    ) -> Result<T, E>
    where
        F: for<'c> FnMut(&'c mut Tx<'a>) -> BoxFuture<'c, Result<T, E>> + Send,
        E: TransactionError + Send,
        T: Send,
    {
        let mut attempt = 0;
        loop {
            let measure = self.metrics.start(name);
            let error = match self.attempt(isolation, &mut work).await {
                Ok(value) => {
                    measure.end("committed");
                    return Ok(value);
                }
                Err(error) => error,
            };
            match error.database().and_then(repeatable) {
                Some(reason) if attempt + 1 < ATTEMPTS => {
                    measure.end(reason);
                    tracing::debug!(transaction = name, attempt, reason, "transaction is repeated");
                    tokio::time::sleep(BETWEEN_ATTEMPTS.delay(attempt)).await;
                    attempt += 1;
                }
                _ => {
                    measure.end(if error.database().is_some() { "failed" } else { "rolled_back" });
                    return Err(error);
                }
            }
        }
    }

    async fn attempt<'a, T, E, F>(&self, isolation: Isolation, work: &mut F) -> Result<T, E>
    where
        F: for<'c> FnMut(&'c mut Tx<'a>) -> BoxFuture<'c, Result<T, E>> + Send,
        E: TransactionError + Send,
        T: Send,
    {
        let inner = match self.inner().begin_with(isolation.begin()).await {
            // The connection broke while it was idle; nothing has begun.
            Err(sqlx::Error::Io(_)) => self.inner().begin_with(isolation.begin()).await?,
            begun => begun?,
        };
        let mut tx = Tx { inner, outside: PhantomData };
        match work(&mut tx).await {
            Ok(value) => {
                tx.inner.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The error that counts is the one that led here.
                let _ = tx.inner.rollback().await;
                Err(error)
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct TransactionMetrics {
    transactions: Counter<u64>,
    duration: Histogram<f64>,
    context: Context,
}

impl TransactionMetrics {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            transactions: context.meter.u64_counter("postgres_transactions").build(),
            duration: context
                .meter
                .f64_histogram("postgres_transaction_duration_seconds")
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .build(),
            context: context.clone(),
        }
    }

    fn start(&self, name: &'static str) -> Measure<'_> {
        Measure { metrics: self, name, started: self.context.clock.instant() }
    }
}

struct Measure<'a> {
    metrics: &'a TransactionMetrics,
    name: &'static str,
    started: Instant,
}

impl Measure<'_> {
    fn end(self, outcome: &'static str) {
        let took = self.metrics.context.clock.instant().saturating_duration_since(self.started);
        let name = KeyValue::new("transaction", self.name);
        self.metrics.duration.record(took.as_secs_f64(), std::slice::from_ref(&name));
        self.metrics.transactions.add(1, &[name, KeyValue::new("outcome", outcome)]);
    }
}
