//! For tests and for trying things out: a private PostgreSQL from the system's binaries.
//!
//! Invariants: it listens on a Unix socket only; it ends with its owner, however that ends; it is stopped by
//! its own process id.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OnceCell;

mod private_postgres;

pub use private_postgres::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions};

use crate::postgres::PostgresConfig;

/// One throw-away server per test process, started by the first test that needs it.
static SERVER: OnceCell<PrivatePostgres> = OnceCell::const_new();
static NEXT_DATABASE: AtomicU64 = AtomicU64::new(1);

/// An empty database of its own for one test, on the test process's private server (fsync off).
#[derive(Debug, Clone)]
pub struct TestDatabase {
    url: String,
}

impl TestDatabase {
    /// Makes it.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started: a test that needs it cannot go on.
    pub async fn create() -> Self {
        let server = SERVER
            .get_or_init(|| async {
                match PrivatePostgres::start(PrivatePostgresOptions::default()).await {
                    Ok(server) => server,
                    Err(error) => panic!("{error}"),
                }
            })
            .await;
        let name = format!("test_{}", NEXT_DATABASE.fetch_add(1, Ordering::Relaxed));
        if let Err(error) = server.create_database(&name).await {
            panic!("{error}");
        }
        Self { url: server.url(&name) }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Settings for it, with a small pool.
    pub fn config(&self) -> PostgresConfig {
        PostgresConfig { max_connections: 10, min_connections: 0, ..PostgresConfig::at(&self.url) }
    }
}
