//! What administrators see and do.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_chassis::postgres::{Pool, TxError};
use staffetta_message::address::Address;
use staffetta_outbound_api::{
    AttemptRecord, QueueError, QueueFilter, QueueStats, QueuedMessage, QueuedRecipient, RecipientStatus,
    RemoteReply, TransactionId,
};
use uuid::Uuid;

use super::statements;
use crate::error::{damaged, database};

#[derive(sqlx::FromRow)]
struct QueuedRow {
    transaction: Uuid,
    sender: Option<String>,
    size: i64,
    received_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct RecipientRow {
    transaction: Uuid,
    address: String,
    status: i16,
    attempts: i32,
    reply_host: Option<String>,
    reply_code: Option<i16>,
    reply_enhanced: Option<String>,
    reply_text: Option<String>,
    next_attempt_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    started_at: DateTime<Utc>,
    elapsed_ms: i64,
    destination: String,
    addresses: Vec<String>,
    reply_hosts: Vec<Option<String>>,
    reply_codes: Vec<Option<i16>>,
    reply_enhanced: Vec<String>,
    reply_texts: Vec<String>,
}

pub(super) async fn list(pool: &Pool, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError> {
    let rows: Vec<QueuedRow> = sqlx::query_as(statements::LIST)
        .bind(filter.sender.as_ref().map(ToString::to_string))
        .bind(filter.recipient_domain.as_ref().map(ToString::to_string))
        .bind(filter.after.map(|after| after.0))
        .bind(i64::from(filter.limit.min(QueueFilter::MAX_LIMIT)))
        .fetch_all(pool.inner())
        .await
        .map_err(database)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.transaction).collect();
    let mut recipients = recipients(pool, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let recipients = recipients.remove(&row.transaction).unwrap_or_default();
            row.into_message(recipients, Vec::new())
        })
        .collect()
}

pub(super) async fn show(pool: &Pool, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
    let row: Option<QueuedRow> = sqlx::query_as(statements::SHOW)
        .bind(transaction.0)
        .fetch_optional(pool.inner())
        .await
        .map_err(database)?;
    let row = row.ok_or_else(|| unknown(transaction))?;
    let recipients = recipients(pool, &[transaction.0]).await?.remove(&transaction.0).unwrap_or_default();
    let attempts: Vec<AttemptRow> = sqlx::query_as(statements::ATTEMPTS)
        .bind(transaction.0)
        .fetch_all(pool.inner())
        .await
        .map_err(database)?;
    let attempts = attempts.into_iter().map(AttemptRecord::try_from).collect::<Result<_, _>>()?;
    row.into_message(recipients, attempts)
}

pub(super) async fn retry(pool: &Pool, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
    pool.transaction("retry", |tx| {
        Box::pin(async move {
            if let Some(transaction) = transaction {
                let known: Option<Uuid> = sqlx::query_scalar(statements::SHOW)
                    .bind(transaction.0)
                    .fetch_optional(&mut **tx)
                    .await?;
                known.ok_or_else(|| TxError::Domain(unknown(transaction)))?;
            }
            let destinations: Vec<String> = sqlx::query_scalar(statements::RETRY)
                .bind(transaction.map(|id| id.0))
                .fetch_all(&mut **tx)
                .await?;
            sqlx::query(statements::HURRY).bind(&destinations).execute(&mut **tx).await?;
            Ok(destinations.len() as u64)
        })
    })
    .await
    .map_err(flatten)
}

pub(super) async fn cancel(pool: &Pool, transaction: TransactionId) -> Result<u64, QueueError> {
    pool.transaction("cancel", |tx| {
        Box::pin(async move {
            let waiting: Option<bool> = sqlx::query_scalar(statements::LOCK_MESSAGE)
                .bind(transaction.0)
                .fetch_optional(&mut **tx)
                .await?;
            if !waiting.ok_or_else(|| TxError::Domain(unknown(transaction)))? {
                return Ok(0);
            }
            let cancelled = sqlx::query(statements::CANCEL).bind(transaction.0).execute(&mut **tx).await?;
            let (_, left): (i64, i64) = sqlx::query_as(statements::COUNT_WAITING)
                .bind(transaction.0)
                .bind("")
                .fetch_one(&mut **tx)
                .await?;
            if left == 0 {
                sqlx::query(statements::FINISH).bind(transaction.0).execute(&mut **tx).await?;
            }
            Ok(cancelled.rows_affected())
        })
    })
    .await
    .map_err(flatten)
}

pub(super) async fn stats(pool: &Pool) -> Result<QueueStats, QueueError> {
    let (messages, recipients, due, in_flight, oldest): (i64, i64, i64, i64, Option<i64>) =
        sqlx::query_as(statements::STATS).fetch_one(pool.inner()).await.map_err(database)?;
    let oldest = oldest.and_then(|millis| u64::try_from(millis).ok()).unwrap_or_default();
    Ok(QueueStats {
        messages: messages.cast_unsigned(),
        recipients: recipients.cast_unsigned(),
        due: due.cast_unsigned(),
        in_flight: in_flight.cast_unsigned(),
        oldest_age: Duration::from_millis(oldest),
    })
}

async fn recipients(
    pool: &Pool,
    transactions: &[Uuid],
) -> Result<HashMap<Uuid, Vec<QueuedRecipient>>, QueueError> {
    let rows: Vec<RecipientRow> = sqlx::query_as(statements::RECIPIENTS)
        .bind(transactions)
        .fetch_all(pool.inner())
        .await
        .map_err(database)?;
    let mut grouped: HashMap<Uuid, Vec<QueuedRecipient>> = HashMap::new();
    for row in rows {
        grouped.entry(row.transaction).or_default().push(row.try_into()?);
    }
    Ok(grouped)
}

impl QueuedRow {
    fn into_message(
        self,
        recipients: Vec<QueuedRecipient>,
        attempts: Vec<AttemptRecord>,
    ) -> Result<QueuedMessage, QueueError> {
        Ok(QueuedMessage {
            transaction: TransactionId(self.transaction),
            sender: self.sender.map(|text| address(&text)).transpose()?,
            size: self.size.cast_unsigned(),
            received_at: self.received_at,
            expires_at: self.expires_at,
            recipients,
            attempts,
        })
    }
}

impl TryFrom<RecipientRow> for QueuedRecipient {
    type Error = QueueError;

    fn try_from(row: RecipientRow) -> Result<Self, QueueError> {
        let status = match row.status {
            1 => RecipientStatus::Waiting,
            2 => RecipientStatus::Delivered,
            3 => RecipientStatus::Failed,
            4 => RecipientStatus::Cancelled,
            other => return Err(damaged("status", &other.to_string())),
        };
        let last_reply = row.reply_enhanced.map(|enhanced| RemoteReply {
            host: row.reply_host,
            code: row.reply_code.map(i16::cast_unsigned),
            enhanced,
            text: row.reply_text.unwrap_or_default(),
        });
        Ok(Self {
            address: address(&row.address)?,
            status,
            last_reply,
            attempts: row.attempts.cast_unsigned(),
            next_attempt_at: row.next_attempt_at,
        })
    }
}

impl TryFrom<AttemptRow> for AttemptRecord {
    type Error = QueueError;

    fn try_from(row: AttemptRow) -> Result<Self, QueueError> {
        let said = row
            .reply_hosts
            .into_iter()
            .zip(row.reply_codes)
            .zip(row.reply_enhanced.into_iter().zip(row.reply_texts))
            .map(|((host, code), (enhanced, text))| RemoteReply {
                host,
                code: code.map(i16::cast_unsigned),
                enhanced,
                text,
            });
        let replies = row.addresses.iter().zip(said).map(|(text, reply)| Ok((address(text)?, reply)));
        Ok(Self {
            started_at: row.started_at,
            elapsed: Duration::from_millis(row.elapsed_ms.cast_unsigned()),
            destination: row.destination,
            replies: replies.collect::<Result<_, QueueError>>()?,
        })
    }
}

fn address(text: &str) -> Result<Address, QueueError> {
    Address::parse(text).map_err(|_| damaged("address", text))
}

fn unknown(transaction: TransactionId) -> QueueError {
    QueueError::NotFound { what: format!("transaction {transaction}") }
}

fn flatten(error: TxError<QueueError>) -> QueueError {
    match error {
        TxError::Database(error) => database(error),
        TxError::Domain(error) => error,
    }
}
