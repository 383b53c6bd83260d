//! Leases: claim, renew, release.

use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_chassis::postgres::Pool;
use staffetta_message::address::{Address, Domain};
use staffetta_outbound_api::{
    Claim, ClaimRequest, ClaimedDelivery, Destination, Lease, QueueError, RecipientId, TransactionId,
};
use uuid::Uuid;

use super::{seconds, statements};
use crate::error::{damaged, database};

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: Uuid,
    lease_token: i64,
    transaction: Uuid,
    destination: String,
    attempts: i32,
    delay_notified: bool,
    sender: Option<String>,
    eight_bit: bool,
    size: i64,
    received_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    traceparent: Option<String>,
    recipient_ids: Vec<i32>,
    addresses: Vec<String>,
}

pub(super) async fn claim(pool: &Pool, request: &ClaimRequest) -> Result<Claim, QueueError> {
    let rows: Vec<ClaimedRow> = pool
        .transaction("claim", |tx| {
            Box::pin(async move {
                let domains: Vec<String> = sqlx::query_scalar(statements::LOCK_DUE)
                    .bind(i64::from(request.limit))
                    .bind(i64::from(request.per_destination))
                    .fetch_all(&mut **tx)
                    .await?;
                if domains.is_empty() {
                    return Ok(Vec::new());
                }
                sqlx::query_as(statements::CLAIM)
                    .bind(domains)
                    .bind(i64::from(request.per_destination))
                    .bind(i64::from(request.limit))
                    .bind(seconds(request.lease))
                    .bind(&request.worker)
                    .fetch_all(&mut **tx)
                    .await
            })
        })
        .await
        .map_err(database)?;
    let deliveries = rows.into_iter().map(ClaimedDelivery::try_from).collect::<Result<_, _>>()?;
    Ok(Claim { deliveries })
}

pub(super) async fn renew(pool: &Pool, lease: &Lease, duration: Duration) -> Result<(), QueueError> {
    let renewed = sqlx::query(statements::RENEW)
        .bind(lease.delivery)
        .bind(lease.token)
        .bind(seconds(duration))
        .execute(pool.inner())
        .await
        .map_err(database)?;
    if renewed.rows_affected() == 1 { Ok(()) } else { Err(QueueError::LeaseLost) }
}

pub(super) async fn release(pool: &Pool, leases: &[Lease]) -> Result<(), QueueError> {
    if leases.is_empty() {
        return Ok(());
    }
    pool.transaction("release", |tx| {
        Box::pin(async move {
            let destinations: Vec<String> = sqlx::query_scalar(statements::RELEASE)
                .bind(leases.iter().map(|lease| lease.delivery).collect::<Vec<_>>())
                .bind(leases.iter().map(|lease| lease.token).collect::<Vec<_>>())
                .fetch_all(&mut **tx)
                .await?;
            sqlx::query(statements::DUE_IN)
                .bind(destinations)
                .bind(0.0)
                .bind(None::<f64>)
                .execute(&mut **tx)
                .await
        })
    })
    .await
    .map_err(database)?;
    Ok(())
}

impl TryFrom<ClaimedRow> for ClaimedDelivery {
    type Error = QueueError;

    fn try_from(row: ClaimedRow) -> Result<Self, QueueError> {
        let recipient = |(id, text): (i32, String)| {
            Address::parse(&text)
                .map(|address| (RecipientId(id), address))
                .map_err(|_| damaged("address", &text))
        };
        let sender = row.sender.map(|text| Address::parse(&text).map_err(|_| damaged("address", &text)));
        let domain = Domain::parse(&row.destination).map_err(|_| damaged("domain", &row.destination))?;
        Ok(Self {
            lease: Lease { delivery: row.id, token: row.lease_token },
            transaction: TransactionId(row.transaction),
            sender: sender.transpose()?,
            destination: Destination { domain },
            recipients: row
                .recipient_ids
                .into_iter()
                .zip(row.addresses)
                .map(recipient)
                .collect::<Result<_, _>>()?,
            eight_bit: row.eight_bit,
            size: row.size.cast_unsigned(),
            received_at: row.received_at,
            expires_at: row.expires_at,
            attempts: row.attempts.cast_unsigned(),
            delay_notified: row.delay_notified,
            traceparent: row.traceparent,
        })
    }
}
