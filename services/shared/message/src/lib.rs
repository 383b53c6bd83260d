//! What Staffetta knows about a mail message, as pure functions over bytes: no I/O, no clock, no
//! randomness (times and ids are handed in).
//!
//! - [`address`]: addresses and domains as SMTP and the directory see them
//! - [`header`]: header fields, encoded words, address lists, dates, message ids
//! - [`header_block`]: the compressed form a header block is stored in
//! - [`skeleton`]: what ONE streaming pass over a message learns at ingest, and its compact encoding
//! - [`text`]: decoding of a text part, case-insensitive search, previews
//! - [`trace`]: Received, Date and Message-ID lines; loop detection
//! - [`dsn`]: RFC 3464 delivery status notifications
//!
//! Invariants: no function panics on any input; every parser is bounded in size, depth and count; a
//! message that is not well-formed MIME is never an error, only a flatter tree.

pub mod address;
pub mod dsn;
pub mod header;
pub mod header_block;
pub mod skeleton;
pub mod text;
pub mod trace;

pub use address::{Address, AddressError, Domain, split_subaddress};
pub use header_block::{compress_header, decompress_header};
pub use skeleton::{
    Content, Envelope, Ingested, Limits, Part, RawEnvelope, SectionText, Skeleton, SkeletonBuilder,
};
