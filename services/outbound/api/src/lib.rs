//! The queue port: mail that is accepted and not yet delivered everywhere.
//!
//! Callers depend on this crate, never on the service. It holds the traits ([`Queue`] for callers, [`Schedule`] for the
//! delivery workers), their domain types and errors, an in-memory fake, the contract suite every implementation passes,
//! and the gRPC adapters of [`Queue`].
//!
//! Invariants
//! - [`Queue::enqueue`] answers only after the body is in object storage and the rows are committed.
//! - The transaction id is the key: enqueueing it again answers the same and queues nothing more, also when the message
//!   has left meanwhile (its history is the memory of that).
//! - A delivery is worked on by one lease at a time; every settle carries the lease's fencing token.

pub mod contract;
pub mod error;
pub mod grpc;
pub mod memory;
pub mod queue;
pub mod schedule;

pub use error::QueueError;
pub use memory::MemoryQueue;
pub use queue::{
    AttemptRecord, EnqueueRequest, Enqueued, Queue, QueueFilter, QueueStats, QueuedMessage, QueuedRecipient,
    RecipientStatus, RemoteReply,
};
pub use schedule::{
    Claim, ClaimRequest, ClaimedDelivery, Destination, Lease, Notice, RecipientId, RecipientResult, Route,
    Schedule, Settlement, Verdict,
};
pub use staffetta_mailstore_api::TransactionId;
