//! mailstore: mailboxes and messages of the accounts of one shard. Metadata in PostgreSQL, bodies in object storage.
//!
//! ```text
//! app ── gRPC adapter (mailstore-api) ── PostgresMailstore (store) ──┬── sql/*  (rows: the truth)
//!                                                                    ├── packs  (bodies)
//!                                                                    └── hints  (wake-ups: may be lost)
//! ```
//!
//! Map: `store` (what all ports share), `account`, `mailboxes`, `open`, `sync`, `fetch`, `flags`, `copy`, `expunge`,
//! `delivery` (ingest and group commit), `bodies`, `search`, `watch`, `maildrops`, [`hints`], [`app`], [`config`].
//!
//! Invariants
//! - A mutation locks the account's `account_state` row (several accounts: in id order) and no other, takes the next
//!   MODSEQ, writes, commits, and only then sends a hint.
//! - Idempotency keys are looked up under that lock.
//! - APPEND and delivery answer only after their body is durable and their rows are committed, in this order.
//! - `message.modseq` and `expunged.modseq` are the change journal; a hint says only "look now".
//! - Listing never touches object storage.

pub mod app;
pub mod config;
pub mod hints;
mod store;

mod account;
mod bodies;
mod copy;
mod delivery;
mod error;
mod expunge;
mod fetch;
mod flags;
mod mailboxes;
mod maildrops;
mod messages;
mod metrics;
mod open;
mod outcome;
mod ranges;
mod search;
mod sweep;
mod sync;
mod watch;

#[cfg(test)]
mod tests;

pub use app::{Mailstore, Replacements};
pub use config::{Limits, MailstoreConfig};
pub use store::PostgresMailstore;
