//! Postgres: one pool per service, its own schema, transactions by name.
//!
//! Invariants: a transaction is repeated only when Postgres rolled it back (serialization failure, deadlock)
//! or when it never began; an error of the commit itself is never repeated, since its outcome is unknown.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

mod errors;
mod pool;
mod transaction;

pub use errors::{is_unavailable, violated_constraint};
pub use pool::{Pool, PostgresError};
pub use transaction::{Isolation, TransactionError, Tx, TxError};

use crate::config::Secret;

/// Where the database is, and the size of the pool.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`; a secret.
    pub url: Secret,
    /// The schema that holds the tables; default the service's name.
    #[serde(default)]
    pub schema: Option<String>,
    /// PEM file with the authority of the server's certificate. Needed for a private one: the system's
    /// authorities are not asked.
    #[serde(default)]
    pub ssl_root_cert: Option<PathBuf>,
    /// Connections at most; default 20 (all pods together stay below the server's `max_connections`).
    #[serde(default = "PostgresConfig::default_max_connections")]
    pub max_connections: u32,
    /// Connections kept open; default 2, so that a quiet pod answers at once.
    #[serde(default = "PostgresConfig::default_min_connections")]
    pub min_connections: u32,
    /// A caller waits this long for a connection; default 5 s.
    #[serde(with = "humantime_serde", default = "PostgresConfig::default_acquire_timeout")]
    pub acquire_timeout: Duration,
    /// An unused connection is closed after this time; default 10 min.
    #[serde(with = "humantime_serde", default = "PostgresConfig::default_idle_timeout")]
    pub idle_timeout: Duration,
    /// Any connection is closed after this time, so that pods follow a failover; default 30 min.
    #[serde(with = "humantime_serde", default = "PostgresConfig::default_max_lifetime")]
    pub max_lifetime: Duration,
    /// Postgres ends a statement after this time; default 30 s.
    #[serde(with = "humantime_serde", default = "PostgresConfig::default_statement_timeout")]
    pub statement_timeout: Duration,
    /// At the start the database is awaited this long; default 60 s.
    #[serde(with = "humantime_serde", default = "PostgresConfig::default_startup_timeout")]
    pub startup_timeout: Duration,
}

impl PostgresConfig {
    /// The defaults for `url`.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            schema: None,
            ssl_root_cert: None,
            max_connections: Self::default_max_connections(),
            min_connections: Self::default_min_connections(),
            acquire_timeout: Self::default_acquire_timeout(),
            idle_timeout: Self::default_idle_timeout(),
            max_lifetime: Self::default_max_lifetime(),
            statement_timeout: Self::default_statement_timeout(),
            startup_timeout: Self::default_startup_timeout(),
        }
    }

    fn default_max_connections() -> u32 {
        20
    }

    fn default_min_connections() -> u32 {
        2
    }

    fn default_acquire_timeout() -> Duration {
        Duration::from_secs(5)
    }

    fn default_idle_timeout() -> Duration {
        Duration::from_secs(600)
    }

    fn default_max_lifetime() -> Duration {
        Duration::from_secs(1800)
    }

    fn default_statement_timeout() -> Duration {
        Duration::from_secs(30)
    }

    fn default_startup_timeout() -> Duration {
        Duration::from_secs(60)
    }
}

/// Names where, never the password.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.url.expose().parse::<sqlx::postgres::PgConnectOptions>().ok();
        let host = options.as_ref().map(|options| options.get_host());
        let database = options.as_ref().and_then(|options| options.get_database());
        out.debug_struct("PostgresConfig")
            .field("host", &host)
            .field("database", &database)
            .field("schema", &self.schema)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
