//! What keeps the tables small and the looks cheap.

use std::time::Duration;

use staffetta_chassis::postgres::Pool;
use staffetta_outbound_api::QueueError;

use super::{seconds, statements};
use crate::error::database;

/// Rows per statement, so that nobody waits long for a lock.
const BATCH: i64 = 500;

/// Puts destinations without due work to rest until their next delivery is due; answers how long nothing will be due, `None`
/// if nothing waits at all.
pub(super) async fn calm_and_look(pool: &Pool) -> Result<Option<Duration>, QueueError> {
    pool.transaction("calm", |tx| {
        Box::pin(async move {
            let idle: Vec<String> =
                sqlx::query_scalar(statements::LOCK_IDLE).bind(BATCH).fetch_all(&mut **tx).await?;
            if !idle.is_empty() {
                sqlx::query(statements::CALM).bind(idle).execute(&mut **tx).await?;
            }
            Ok::<_, sqlx::Error>(())
        })
    })
    .await
    .map_err(database)?;
    let millis: Option<i64> =
        sqlx::query_scalar(statements::NEXT_DUE).fetch_one(pool.inner()).await.map_err(database)?;
    // Rounded down in SQL: one more, or the last millisecond would be spent looking.
    Ok(millis.map(|millis| Duration::from_millis(millis.max(0).cast_unsigned() + 1)))
}

pub(super) async fn purge(pool: &Pool, retention: Duration) -> Result<u64, QueueError> {
    let mut purged = 0;
    loop {
        let batch = sqlx::query(statements::PURGE)
            .bind(seconds(retention))
            .bind(BATCH)
            .execute(pool.inner())
            .await
            .map_err(database)?
            .rows_affected();
        purged += batch;
        if batch < BATCH.cast_unsigned() {
            break;
        }
    }
    sqlx::query(statements::PRUNE).bind(BATCH).execute(pool.inner()).await.map_err(database)?;
    Ok(purged)
}
