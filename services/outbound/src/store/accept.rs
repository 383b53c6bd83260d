//! Taking messages in: the transaction that acknowledges a batch.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use staffetta_chassis::postgres::Pool;
use staffetta_outbound_api::{EnqueueRequest, QueueError};
use staffetta_packs::{BodyAddress, Commit, CommitFailure, Entry, Locking, Verdict};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{seconds, statements};
use crate::error::{database, is_culprit};

/// What is recorded about a body.
#[derive(Debug)]
pub(super) enum Item {
    /// A message to queue.
    Message(Box<Message>),
    /// Nothing yet: a notice, which its settlement queues.
    Body,
}

/// A message without its body.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) transaction: Uuid,
    pub(super) sender: Option<String>,
    pub(super) eight_bit: bool,
    pub(super) received_at: DateTime<Utc>,
    pub(super) traceparent: Option<String>,
    /// Address and domain.
    pub(super) recipients: Vec<(String, String)>,
}

/// What the submitter learns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// Whether the transaction was new.
    pub(super) fresh: bool,
    /// The body's id.
    pub(super) body: Uuid,
}

/// The owner's side of group commit.
pub(super) struct Acceptance {
    pool: Pool,
    lifetime: Duration,
    wake: Arc<Notify>,
}

impl Item {
    pub(super) fn message(request: EnqueueRequest) -> Self {
        let recipient = |address: &staffetta_message::address::Address| {
            (address.to_string(), address.domain().to_string())
        };
        Self::Message(Box::new(Message {
            transaction: request.transaction.0,
            sender: request.sender.as_ref().map(ToString::to_string),
            eight_bit: request.eight_bit,
            received_at: request.received_at,
            traceparent: request.traceparent.filter(|text| is_traceparent(text)),
            recipients: request.recipients.iter().map(recipient).collect(),
        }))
    }
}

impl Acceptance {
    pub(super) fn new(pool: Pool, lifetime: Duration, wake: Arc<Notify>) -> Self {
        Self { pool, lifetime, wake }
    }
}

#[async_trait]
impl Commit for Acceptance {
    type Item = Item;
    type Output = Accepted;
    type Error = QueueError;

    async fn commit(
        &self,
        entries: &[Entry<Item>],
        _locking: Locking,
    ) -> Result<Vec<Verdict<Accepted, QueueError>>, CommitFailure<QueueError>> {
        let bodies: Vec<Uuid> = entries.iter().map(|_| Uuid::now_v7()).collect();
        let mut seen = HashSet::new();
        // A transaction that comes twice in one batch is queued once.
        let messages: Vec<(&Message, u64, Uuid)> = entries
            .iter()
            .zip(&bodies)
            .filter_map(|(entry, body)| match &entry.item {
                Item::Message(message) => Some((&**message, entry.address.len, *body)),
                Item::Body => None,
            })
            .filter(|(message, ..)| seen.insert(message.transaction))
            .collect();
        let (bodies_ref, messages_ref, lifetime) = (&bodies, &messages, self.lifetime);
        let fresh = self
            .pool
            .transaction("enqueue", |tx| {
                Box::pin(async move {
                    insert_bodies(tx, entries, bodies_ref).await?;
                    insert_messages(tx, messages_ref, lifetime).await
                })
            })
            .await
            .map_err(|error| match is_culprit(&error) {
                true => CommitFailure::Culprit(database(error)),
                false => CommitFailure::All(database(error)),
            })?;
        self.wake.notify_one();
        let mut fresh: HashSet<Uuid> = fresh.into_iter().collect();
        let verdict = |(entry, body): (&Entry<Item>, &Uuid)| {
            let fresh = match &entry.item {
                Item::Message(message) => fresh.remove(&message.transaction),
                Item::Body => true,
            };
            Verdict::Settled(Ok(Accepted { fresh, body: *body }))
        };
        Ok(entries.iter().zip(&bodies).map(verdict).collect())
    }
}

async fn insert_bodies(
    connection: &mut PgConnection,
    entries: &[Entry<Item>],
    ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    let column = |of: fn(&BodyAddress) -> i64| entries.iter().map(|e| of(&e.address)).collect::<Vec<_>>();
    sqlx::query(statements::INSERT_BODIES)
        .bind(ids)
        .bind(entries.iter().map(|entry| entry.address.pack.id.as_uuid()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.address.pack.writer.as_str()).collect::<Vec<_>>())
        .bind(column(|address| address.offset.cast_signed()))
        .bind(column(|address| address.len.cast_signed()))
        .bind(entries.iter().map(|entry| entry.address.checksum.0.to_vec()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Queues the messages (each with its size and body) whose transactions are new; answers those.
pub(super) async fn insert_messages(
    connection: &mut PgConnection,
    messages: &[(&Message, u64, Uuid)],
    lifetime: Duration,
) -> Result<Vec<Uuid>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let recipients = Recipients::of(messages);
    let deliveries = Deliveries::of(messages);
    let fresh = sqlx::query_scalar(statements::ACCEPT)
        .bind(messages.iter().map(|(message, ..)| message.transaction).collect::<Vec<_>>())
        .bind(messages.iter().map(|(message, ..)| message.sender.as_deref()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(message, ..)| message.eight_bit).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, size, _)| size.cast_signed()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(message, ..)| message.received_at).collect::<Vec<_>>())
        .bind(messages.iter().map(|(message, ..)| message.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(.., body)| *body).collect::<Vec<_>>())
        .bind(seconds(lifetime))
        .bind(recipients.transactions)
        .bind(recipients.ids)
        .bind(recipients.addresses)
        .bind(recipients.domains)
        .bind(deliveries.ids)
        .bind(deliveries.transactions)
        .bind(&deliveries.destinations)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(statements::WAKE).bind(&deliveries.destinations).execute(connection).await?;
    Ok(fresh)
}

#[derive(Default)]
struct Recipients<'a> {
    transactions: Vec<Uuid>,
    ids: Vec<i32>,
    addresses: Vec<&'a str>,
    domains: Vec<&'a str>,
}

impl<'a> Recipients<'a> {
    fn of(messages: &[(&'a Message, u64, Uuid)]) -> Self {
        let mut columns = Self::default();
        for (message, ..) in messages {
            for (id, (address, domain)) in (0..).zip(&message.recipients) {
                columns.transactions.push(message.transaction);
                columns.ids.push(id);
                columns.addresses.push(address);
                columns.domains.push(domain);
            }
        }
        columns
    }
}

#[derive(Default)]
struct Deliveries<'a> {
    ids: Vec<Uuid>,
    transactions: Vec<Uuid>,
    destinations: Vec<&'a str>,
}

impl<'a> Deliveries<'a> {
    /// One per message and domain.
    fn of(messages: &[(&'a Message, u64, Uuid)]) -> Self {
        let mut columns = Self::default();
        for (message, ..) in messages {
            let domains: BTreeSet<&str> =
                message.recipients.iter().map(|(_, domain)| domain.as_str()).collect();
            for domain in domains {
                columns.ids.push(Uuid::now_v7());
                columns.transactions.push(message.transaction);
                columns.destinations.push(domain);
            }
        }
        columns
    }
}

/// `version "-" trace-id "-" parent-id "-" flags`, as W3C Trace Context writes it; anything else is not worth keeping.
fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|octet| octet == b'-' || octet.is_ascii_hexdigit())
}
