//! Forgetting keys that nobody repeats any more. Any pod may do it at any time; doing it twice is harmless.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use staffetta_chassis::clock::Clock;

const EVERY: Duration = Duration::from_secs(3600);

/// Sweeps once an hour, for ever.
pub(crate) async fn run(pool: PgPool, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(EVERY).await;
        for (what, sql) in [
            ("write keys", include_str!("sql/write_key/sweep.sql")),
            ("delivery keys", include_str!("sql/delivery/sweep.sql")),
        ] {
            match sqlx::query(sql).execute(&pool).await {
                Ok(done) => tracing::info!(what, rows = done.rows_affected(), "swept"),
                Err(error) => tracing::warn!(what, %error, "not swept"),
            }
        }
    }
}
