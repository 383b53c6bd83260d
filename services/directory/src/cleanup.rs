//! Removes what has expired: charges and usage older than any window, sessions that ended and have expired since.
//!
//! Every pod runs it; statements are small, paced and skip locked rows, so that pods do not wait for each other.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::Pool;

use crate::config::CleanupConfig;

/// Longer than the day window with its slack of an hour.
const BUDGET_HOURS: i64 = 26;

/// The job.
pub(crate) struct Cleanup {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: CleanupConfig,
}

impl Cleanup {
    /// Runs for as long as the process.
    pub(crate) async fn run(self) {
        loop {
            self.clock.sleep(self.config.every).await;
            match self.round().await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "expired rows are removed"),
                Err(error) => tracing::warn!(%error, "cleanup goes on later"),
            }
        }
    }

    /// Removes all that has expired by now.
    pub(crate) async fn round(&self) -> Result<u64, sqlx::Error> {
        let now: DateTime<Utc> = self.clock.now().into();
        let forgotten = now - TimeDelta::hours(BUDGET_HOURS);
        let charges = self.all(include_str!("sql/budget/forget_charges.sql"), forgotten).await?;
        let usage = self.all(include_str!("sql/budget/forget_usage.sql"), forgotten).await?;
        let sessions = self.all(include_str!("sql/session/forget.sql"), now).await?;
        Ok(charges + usage + sessions)
    }

    async fn all(&self, statement: &'static str, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        let mut total = 0;
        loop {
            let limit = i64::from(self.config.rows.max(1));
            let done = sqlx::query(statement).bind(before).bind(limit).execute(self.pool.inner()).await?;
            total += done.rows_affected();
            if done.rows_affected() < u64::from(self.config.rows.max(1)) {
                return Ok(total);
            }
            self.clock.sleep(self.config.pause).await;
        }
    }
}
