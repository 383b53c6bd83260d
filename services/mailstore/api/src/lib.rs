//! The mailstore port: mailboxes and messages of the accounts of one shard.
//!
//! Callers depend on this crate, never on the service. It holds the traits, one per concern ([`Mailboxes`],
//! [`Messages`], [`Bodies`], [`Delivery`], [`Search`], [`Watch`], [`Maildrops`], [`Accounts`]), their domain types and
//! errors, an in-memory fake, the contract suite every implementation passes, and the gRPC adapters.
//!
//! Invariants
//! - Calls on account data carry an [`Access`]; implementations trust it, the gRPC server adapter makes it from a
//!   verified session token, so a gateway cannot reach an account that did not log in.
//! - Every write of messages carries an [`IdempotencyKey`]: repeating a call with the same key answers the same and changes
//!   nothing. Changes of the mailbox hierarchy carry none and are never retried.
//! - A positive answer to a write means: body in object storage, rows committed.
//! - Only [`Bodies`] (and [`Search`] for body text) touches object storage.

pub mod access;
pub mod accounts;
pub mod bodies;
pub mod contract;
pub mod delivery;
pub mod error;
pub mod flags;
pub mod grpc;
pub mod ids;
pub mod mailboxes;
pub mod maildrops;
pub mod memory;
pub mod messages;
pub mod search;
pub mod shards;
pub mod uid_set;
pub mod watch;

pub use access::Access;
pub use accounts::{Accounts, PurgeProgress, QuotaUsage};
pub use bodies::{Bodies, BodyChunk, BodyRange};
pub use delivery::{AppendRequest, Appended, DeliverRequest, Delivered, Delivery, DeliveryTarget};
pub use error::{MailstoreError, Refusal, RefusalReason};
pub use flags::{Flags, Keyword, SystemFlag};
pub use ids::{IdempotencyKey, MailboxId, ModSeq, TransactionId, Uid, UidValidity};
pub use mailboxes::{
    Listing, Mailbox, MailboxName, MailboxStatus, Mailboxes, OpenMode, OpenRequest, Opened, ResyncRequest,
    SpecialUse,
};
pub use maildrops::{Maildrop, MaildropLease, MaildropMessage, Maildrops};
pub use memory::{MemoryLimits, MemoryMailstore};
pub use messages::{
    Copied, CopyRequest, ExpungeRequest, Expunged, FetchItems, FetchRequest, FetchedMessage, FlagRun,
    FlagsOperation, Messages, StoreOutcome, StoreRequest, SyncDelta, SyncRequest,
};
pub use search::{HeaderMatch, Search, SearchHits, SearchKey, SearchRequest};
pub use shards::{ShardMap, Shards};
pub use uid_set::UidSet;
pub use watch::{Watch, WatchCommand, WatchEvent};

/// Everything mailstore answers, for callers that need all of it.
pub trait Mailstore:
    Mailboxes + Messages + Bodies + Delivery + Search + Watch + Maildrops + Accounts
{
}

impl<T: Mailboxes + Messages + Bodies + Delivery + Search + Watch + Maildrops + Accounts> Mailstore for T {}
