//! The pool of connections, and what every one of them is set to.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::PostgresConfig;
use super::transaction::TransactionMetrics;
use crate::backoff::Backoff;
use crate::process::Context;

/// A connection unused for longer is tested before it is handed out: younger ones cost no round trip.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(5);

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL cannot be understood (it is not shown: it holds the password).
    #[error("postgres url cannot be understood")]
    Url,
    /// A schema must be a plain lower-case name.
    #[error("{0:?} is not a schema name")]
    Schema(String),
    /// No connection within the start-up time.
    #[error("postgres cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The schema cannot be made.
    #[error("schema cannot be created")]
    Create(#[source] sqlx::Error),
    /// A migration failed.
    #[error("migration failed")]
    Migrate(#[from] MigrateError),
}

/// Connections to one database, all of them inside one schema. Clones share the pool.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: PgPool,
    schema: Arc<str>,
    pub(super) metrics: TransactionMetrics,
}

impl Pool {
    /// Connects, waiting for a database that is still starting. `schema` is used when the settings name none.
    ///
    /// # Errors
    /// Settings that cannot be used, or no connection within `startup_timeout`.
    pub async fn connect(
        config: &PostgresConfig,
        schema: &str,
        context: &Context,
    ) -> Result<Self, PostgresError> {
        let schema = config.schema.as_deref().unwrap_or(schema);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if schema.is_empty() || schema.len() > 63 || !schema.bytes().all(plain) {
            return Err(PostgresError::Schema(schema.to_owned()));
        }
        let inner = options(config).connect_lazy_with(connect_options(config, schema)?);
        let metrics = TransactionMetrics::new(context);
        let pool = Self { inner, schema: Arc::from(schema), metrics };
        pool.wait_for_database(config.startup_timeout, context).await?;
        observe(&pool.inner, context);
        Ok(pool)
    }

    async fn wait_for_database(&self, limit: Duration, context: &Context) -> Result<(), PostgresError> {
        let started = context.clock.instant();
        let mut attempt = 0;
        loop {
            let Err(error) = self.ping().await else { return Ok(()) };
            let waited = context.clock.instant().saturating_duration_since(started);
            // Wrong passwords and missing databases do not heal by waiting.
            if waited >= limit || !super::is_unavailable(&error) {
                return Err(PostgresError::Unreachable(error));
            }
            tracing::warn!(%error, ?waited, "waiting for postgres");
            context.clock.sleep(Backoff::default().delay(attempt)).await;
            attempt += 1;
        }
    }

    /// Makes the schema if it is missing and brings it to the newest migration, one process at a time.
    ///
    /// # Errors
    /// The schema cannot be made, or a migration fails.
    pub async fn migrate(&self, migrator: &Migrator) -> Result<(), PostgresError> {
        let mut connection = self.inner.acquire().await.map_err(PostgresError::Unreachable)?;
        // A role may own its schema without the right to create one, so existence is looked up first.
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
            .bind(self.schema.as_ref())
            .fetch_one(&mut *connection)
            .await
            .map_err(PostgresError::Create)?;
        if !exists {
            // Safe: the name is lower-case letters, digits and underscores.
            let create = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", self.schema);
            match connection.execute(AssertSqlSafe(create)).await {
                Ok(_) => {}
                // Another process was faster.
                Err(error) if super::violated_constraint(&error).is_some() => {}
                Err(error) => return Err(PostgresError::Create(error)),
            }
        }
        // A migration may take longer than any request.
        connection.execute("SET statement_timeout = 0").await.map_err(PostgresError::Create)?;
        // Not `run`: its future is not known to be Send from every caller.
        migrator.run_direct(None, &mut *connection, false).await?;
        // That setting must not come back to the pool.
        let _ = connection.close().await;
        Ok(())
    }

    /// One round trip.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.inner.acquire().await?.ping().await
    }

    /// The pool itself, for single statements.
    pub fn inner(&self) -> &PgPool {
        &self.inner
    }

    /// The schema of every connection.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}

fn options(config: &PostgresConfig) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(config.max_connections.max(1))
        .min_connections(config.min_connections.min(config.max_connections))
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(config.idle_timeout)
        .max_lifetime(config.max_lifetime)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move { Ok(meta.idle_for < TEST_AFTER_IDLE || connection.ping().await.is_ok()) })
        })
}

fn connect_options(config: &PostgresConfig, schema: &str) -> Result<PgConnectOptions, PostgresError> {
    let mut options: PgConnectOptions = config.url.expose().parse().map_err(|_| PostgresError::Url)?;
    if let Some(authority) = &config.ssl_root_cert {
        options = options.ssl_root_cert(authority);
    }
    // A pod that hangs inside a transaction must not hold its locks for ever.
    let patience = config.statement_timeout.saturating_mul(2).as_millis().to_string();
    Ok(options.application_name(schema).options([
        ("search_path", schema),
        ("statement_timeout", &config.statement_timeout.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", &patience),
        ("timezone", "UTC"),
    ]))
}

fn observe(pool: &PgPool, context: &Context) {
    let pool = pool.clone();
    context
        .meter
        .u64_observable_gauge("postgres_connections")
        .with_callback(move |observer| {
            let idle = pool.num_idle() as u64;
            let used = u64::from(pool.size()).saturating_sub(idle);
            observer.observe(idle, &[KeyValue::new("state", "idle")]);
            observer.observe(used, &[KeyValue::new("state", "used")]);
        })
        .build();
}
