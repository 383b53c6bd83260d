//! The end of an attempt, in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use staffetta_chassis::postgres::{Pool, TxError};
use staffetta_outbound_api::{Notice, QueueError, RecipientResult, Settlement, Verdict};
use uuid::Uuid;

use super::accept::{Message, insert_messages};
use super::{seconds, statements};
use crate::error::database;

pub(super) async fn settle(
    pool: &Pool,
    settlement: &Settlement,
    notices: &[(&Notice, Uuid)],
    lifetime: Duration,
) -> Result<(), QueueError> {
    pool.transaction("settle", |tx| {
        Box::pin(async move {
            let delivery = lock(tx, settlement).await?;
            record(tx, settlement, &delivery).await?;
            proceed(tx, settlement, &delivery).await?;
            queue(tx, notices, lifetime).await?;
            Ok::<_, TxError<QueueError>>(())
        })
    })
    .await
    .map_err(|error| match error {
        TxError::Database(error) => database(error),
        TxError::Domain(error) => error,
    })
}

#[derive(sqlx::FromRow)]
struct Locked {
    transaction: Uuid,
    destination: String,
    worker: Option<String>,
}

async fn lock(connection: &mut PgConnection, settlement: &Settlement) -> Result<Locked, TxError<QueueError>> {
    sqlx::query_as(statements::LOCK_DELIVERY)
        .bind(settlement.lease.delivery)
        .bind(settlement.lease.token)
        .fetch_optional(connection)
        .await?
        .ok_or(TxError::Domain(QueueError::LeaseLost))
}

/// Writes results and history.
async fn record(
    connection: &mut PgConnection,
    settlement: &Settlement,
    delivery: &Locked,
) -> Result<(), TxError<QueueError>> {
    let results = &settlement.results;
    let code = |result: &RecipientResult| result.reply.code.and_then(|code| i16::try_from(code).ok());
    let recorded: Vec<(i32, String)> = sqlx::query_as(statements::RECORD)
        .bind(delivery.transaction)
        .bind(results.iter().map(|result| result.recipient.0).collect::<Vec<_>>())
        .bind(results.iter().map(|result| status(result.verdict)).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.reply.host.as_deref()).collect::<Vec<_>>())
        .bind(results.iter().map(code).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.reply.enhanced.as_str()).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.reply.text.as_str()).collect::<Vec<_>>())
        .bind(&delivery.destination)
        .fetch_all(&mut *connection)
        .await?;
    let addresses: HashMap<i32, String> = recorded.into_iter().collect();
    let address = |result: &RecipientResult| addresses.get(&result.recipient.0).cloned();
    let known: Vec<String> = results.iter().filter_map(address).collect();
    if known.len() != results.len() || addresses.len() != results.len() {
        return Err(incomplete());
    }
    sqlx::query(statements::INSERT_ATTEMPT)
        .bind(delivery.transaction)
        .bind(settlement.started_at)
        .bind(i64::try_from(settlement.elapsed.as_millis()).unwrap_or(i64::MAX))
        .bind(&settlement.destination)
        .bind(&delivery.worker)
        .bind(known)
        .bind(results.iter().map(|result| result.reply.host.as_deref()).collect::<Vec<_>>())
        .bind(results.iter().map(code).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.reply.enhanced.as_str()).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.reply.text.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the delivery and maybe the message, or plans the next attempt.
async fn proceed(
    connection: &mut PgConnection,
    settlement: &Settlement,
    delivery: &Locked,
) -> Result<(), TxError<QueueError>> {
    let (here, anywhere): (i64, i64) = sqlx::query_as(statements::COUNT_WAITING)
        .bind(delivery.transaction)
        .bind(&delivery.destination)
        .fetch_one(&mut *connection)
        .await?;
    let deferred = settlement.results.iter().filter(|result| result.verdict == Verdict::Deferred).count();
    if usize::try_from(here) != Ok(deferred) {
        return Err(incomplete());
    }
    if here > 0 {
        sqlx::query(statements::DEFER)
            .bind(settlement.lease.delivery)
            .bind(seconds(settlement.retry_after))
            .bind(settlement.delay_notified)
            .execute(&mut *connection)
            .await?;
    } else {
        let delete = sqlx::query(statements::DELETE_DELIVERY).bind(settlement.lease.delivery);
        delete.execute(&mut *connection).await?;
    }
    if anywhere == 0 {
        sqlx::query(statements::FINISH).bind(delivery.transaction).execute(&mut *connection).await?;
    }
    if here > 0 || settlement.suspend.is_some() {
        sqlx::query(statements::DUE_IN)
            .bind(vec![delivery.destination.as_str()])
            .bind(seconds(settlement.retry_after))
            .bind(settlement.suspend.map(seconds))
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn queue(
    connection: &mut PgConnection,
    notices: &[(&Notice, Uuid)],
    lifetime: Duration,
) -> Result<(), TxError<QueueError>> {
    if notices.is_empty() {
        return Ok(());
    }
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&mut *connection).await?;
    let messages: Vec<Message> = notices
        .iter()
        .map(|(notice, _)| Message {
            transaction: notice.transaction.0,
            sender: None,
            eight_bit: false,
            received_at: now,
            traceparent: None,
            recipients: vec![(notice.recipient.to_string(), notice.recipient.domain().to_string())],
        })
        .collect();
    let rows: Vec<(&Message, u64, Uuid)> = messages
        .iter()
        .zip(notices)
        .map(|(message, (notice, body))| (message, notice.body.len() as u64, *body))
        .collect();
    insert_messages(connection, &rows, lifetime).await?;
    Ok(())
}

fn status(verdict: Verdict) -> i16 {
    match verdict {
        Verdict::Deferred => 1,
        Verdict::Delivered => 2,
        Verdict::Failed => 3,
    }
}

fn incomplete() -> TxError<QueueError> {
    let message = "a settlement needs one result for each recipient of its delivery".to_owned();
    TxError::Domain(QueueError::Invalid { message })
}
