//! Bodies in object storage: many bodies per object, one commit per object.
//!
//! ```text
//! writer (natural group commit) ──┐
//!                                 ├── store (port) ── directory | s3 | memory
//! reader (ranged, verified)  ─────┘        ▲
//!                                          └── decorators: retry, metrics, cache, fault
//! ```
//!
//! Invariants:
//! - A body is acknowledged only after its bytes are durable in the store and its owner's
//!   transaction has committed, in that order.
//! - An object is written once and never changed; its name is unique (time, random bits, writer).
//! - A pack older than [`writer::MAX_PACK_AGE`] is never committed: the collector may have
//!   given it up.
//! - Bodies are stored as they are, so that any part of one can be read by range.

pub mod address;
pub mod config;
pub mod error;
pub mod reader;
pub mod store;
pub mod writer;

pub use address::{BodyAddress, Checksum, PackId, PackName, Prefix, WriterId};
pub use config::{CacheConfig, PackConfig, S3Config, StoreConfig};
pub use error::{StoreError, StoreErrorKind};
pub use reader::PackReader;
pub use store::{ByteStream, ObjectInfo, ObjectStore};
pub use writer::{Commit, CommitFailure, Entry, Locking, PackWriter, SubmitError, Verdict};
