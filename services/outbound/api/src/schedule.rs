//! What delivery workers do with the queue: claim what is due, renew, settle.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use staffetta_chassis::spool::Spooled;
use staffetta_message::address::{Address, Domain};
use uuid::Uuid;

use crate::{QueueError, RemoteReply, TransactionId};

/// Leases deliveries to workers. Times are the implementation's (Postgres') clock.
#[async_trait]
pub trait Schedule: Send + Sync + 'static {
    /// Leases due deliveries, fairly over destinations; never waits, may answer fewer or none.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, QueueError>;

    /// Prolongs a lease; [`QueueError::LeaseLost`] when it expired or was taken over. A worker renews before the final dot.
    async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), QueueError>;

    /// Writes the results of an attempt and ends the lease, in one transaction: recipients, history, the next attempt, and the
    /// bounces or delay notices it calls for. An expired lease that nobody took over still settles: what a server said is
    /// worth keeping, and the token proves that nobody else works on the delivery.
    async fn settle(&self, settlement: Settlement) -> Result<(), QueueError>;

    /// Gives leases back without an attempt, so that another worker may claim at once; lost ones are skipped.
    async fn release(&self, leases: &[Lease]) -> Result<(), QueueError>;

    /// The message's octets.
    async fn body(&self, delivery: &ClaimedDelivery) -> Result<Spooled, QueueError>;

    /// Waits until something may be due: a wake-up, or the time of the next due delivery, or `at_most`.
    async fn wait_due(&self, at_most: Duration);
}

/// How much to claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The worker's name, for the history and for people.
    pub worker: String,
    /// At most this many deliveries.
    pub limit: u32,
    /// At most this many in flight per destination, over all workers.
    pub per_destination: u32,
    /// How long the leases last.
    pub lease: Duration,
}

/// What was claimed.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The deliveries, oldest due first.
    pub deliveries: Vec<ClaimedDelivery>,
}

/// The fencing token of one claimed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Which delivery.
    pub delivery: Uuid,
    /// Changes at every claim; stands in every settle's WHERE.
    pub token: i64,
}

/// Identifies a recipient inside its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecipientId(pub i32);

/// Recipients of one message that go the same way.
#[derive(Clone, Debug)]
pub struct ClaimedDelivery {
    /// Its lease.
    pub lease: Lease,
    /// Its transaction.
    pub transaction: TransactionId,
    /// MAIL FROM.
    pub sender: Option<Address>,
    /// Where it goes.
    pub destination: Destination,
    /// Its recipients that still wait.
    pub recipients: Vec<(RecipientId, Address)>,
    /// Whether the body holds 8-bit octets.
    pub eight_bit: bool,
    /// Size in octets.
    pub size: u64,
    /// When ingress received it.
    pub received_at: DateTime<Utc>,
    /// When what is left bounces.
    pub expires_at: DateTime<Utc>,
    /// Attempts before this one.
    pub attempts: u32,
    /// Whether a delay notice was sent already.
    pub delay_notified: bool,
    /// W3C `traceparent` of the transaction.
    pub traceparent: Option<String>,
}

/// The key by which deliveries are grouped, limited and suspended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// The recipients' domain. Whether it is local, relayed or looked up is decided at each attempt.
    pub domain: Domain,
}

/// Where an attempt goes, decided when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Accounts here.
    Local,
    /// A fixed next server.
    Smarthost {
        /// Its host name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The domain's mail exchangers.
    Mx,
}

/// The end of one attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The lease under which it was made.
    pub lease: Lease,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub elapsed: Duration,
    /// Where it went, for the history: `local`, or a host name.
    pub destination: String,
    /// One result for every recipient of the delivery.
    pub results: Vec<RecipientResult>,
    /// Time to the next attempt for those deferred.
    pub retry_after: Duration,
    /// No other delivery to this destination before this time has passed (it is down, or told us to slow down).
    pub suspend: Option<Duration>,
    /// Notices to the sender (bounce, delay) as whole messages; each is queued with the null sender in the same transaction.
    pub notices: Vec<Notice>,
    /// Whether one of them is the delay notice.
    pub delay_notified: bool,
}

/// A message that the settlement queues to the original sender.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its own transaction.
    pub transaction: TransactionId,
    /// The original sender.
    pub recipient: Address,
    /// The whole message.
    pub body: bytes::Bytes,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientResult {
    /// Which recipient.
    pub recipient: RecipientId,
    /// What became of it.
    pub verdict: Verdict,
    /// What was said.
    pub reply: RemoteReply,
}

/// What an attempt means for a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Delivered,
    /// Try again.
    Deferred,
    /// Never try again.
    Failed,
}
