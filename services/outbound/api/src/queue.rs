//! What callers do with the queue: put mail in, look at it, hurry or cancel it.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use staffetta_chassis::spool::Spooled;
use staffetta_message::address::{Address, Domain};

use crate::{QueueError, TransactionId};

/// The queue as callers see it.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Takes responsibility for a message. For the `smtp-ingress` workload.
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, QueueError>;

    /// Messages with a waiting recipient, oldest first. For `ctl` and `operator`, as all that follow.
    async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError>;

    /// One message with its recipients and the history of attempts; a finished one for as long as its history is kept.
    async fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError>;

    /// Makes the waiting deliveries of a message (or all, with `None`) due now; answers how many.
    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError>;

    /// Drops the waiting recipients of a message without a bounce; answers how many. A delivery under way is not
    /// interrupted.
    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError>;

    /// Totals.
    async fn stats(&self) -> Result<QueueStats, QueueError>;
}

/// A message to queue.
#[derive(Clone, Debug)]
pub struct EnqueueRequest {
    /// The transaction, the idempotency key.
    pub transaction: TransactionId,
    /// MAIL FROM; `None`: the null sender, never bounced.
    pub sender: Option<Address>,
    /// RCPT TO, at least one, no address twice. Local ones are delivered to mailstore by outbound.
    pub recipients: Vec<Address>,
    /// Whether the body holds 8-bit octets (`BODY=8BITMIME`).
    pub eight_bit: bool,
    /// When ingress received it.
    pub received_at: DateTime<Utc>,
    /// W3C `traceparent` of the transaction, so that delivery continues its trace.
    pub traceparent: Option<String>,
    /// The message with its trace headers.
    pub body: Spooled,
}

impl EnqueueRequest {
    /// Most recipients of one message.
    pub const MAX_RECIPIENTS: usize = 10_000;

    /// Checks what every implementation must refuse.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] without a recipient, with too many, or with one that is named twice.
    pub fn validate(&self) -> Result<(), QueueError> {
        let invalid = |message: &str| Err(QueueError::Invalid { message: message.to_owned() });
        if self.recipients.is_empty() {
            return invalid("a message needs a recipient");
        }
        if self.recipients.len() > Self::MAX_RECIPIENTS {
            return invalid("a message has at most 10000 recipients");
        }
        let distinct: HashSet<&Address> = self.recipients.iter().collect();
        if distinct.len() < self.recipients.len() {
            return invalid("a recipient is named twice");
        }
        Ok(())
    }
}

/// The answer of [`Queue::enqueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// `false`: an earlier call of the same transaction had queued it.
    pub fresh: bool,
}

/// Which messages to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueFilter {
    /// Only of this sender.
    pub sender: Option<Address>,
    /// Only with a recipient in this domain.
    pub recipient_domain: Option<Domain>,
    /// Only after this transaction (transaction ids sort by time).
    pub after: Option<TransactionId>,
    /// At most this many (capped at [`Self::MAX_LIMIT`]).
    pub limit: u32,
}

impl QueueFilter {
    /// Most messages of one answer, whatever [`Self::limit`] says.
    pub const MAX_LIMIT: u32 = 1_000;
}

impl Default for QueueFilter {
    fn default() -> Self {
        Self { sender: None, recipient_domain: None, after: None, limit: 100 }
    }
}

/// A message in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its transaction.
    pub transaction: TransactionId,
    /// MAIL FROM.
    pub sender: Option<Address>,
    /// Size in octets.
    pub size: u64,
    /// When ingress received it.
    pub received_at: DateTime<Utc>,
    /// When what is left will bounce.
    pub expires_at: DateTime<Utc>,
    /// Its recipients.
    pub recipients: Vec<QueuedRecipient>,
    /// The history, oldest first; only in [`Queue::show`].
    pub attempts: Vec<AttemptRecord>,
}

/// One recipient of a queued message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// RCPT TO.
    pub address: Address,
    /// Where it stands.
    pub status: RecipientStatus,
    /// The last reply about it.
    pub last_reply: Option<RemoteReply>,
    /// Number of attempts so far.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientStatus {
    /// Waits for its next attempt.
    Waiting,
    /// The next server (or mailstore) took it.
    Delivered,
    /// Refused for good, or expired; a bounce was queued unless the sender is null.
    Failed,
    /// Dropped by an administrator.
    Cancelled,
}

/// What a server said, or what happened instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteReply {
    /// Who said it; `None`: we did (DNS, connection, expiry).
    pub host: Option<String>,
    /// SMTP reply code; `None`: no SMTP reply.
    pub code: Option<u16>,
    /// Enhanced status code, always present (RFC 3463): the server's or ours.
    pub enhanced: String,
    /// The text, one line, at most 512 octets.
    pub text: String,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub elapsed: Duration,
    /// Where it went: `local`, or a host name.
    pub destination: String,
    /// Per recipient address: what was said.
    pub replies: Vec<(Address, RemoteReply)>,
}

/// Totals of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStats {
    /// Messages with a waiting recipient.
    pub messages: u64,
    /// Waiting recipients.
    pub recipients: u64,
    /// Deliveries due now.
    pub due: u64,
    /// Deliveries under a lease.
    pub in_flight: u64,
    /// Age of the oldest waiting message.
    pub oldest_age: Duration,
}
