//! The IMAP gateway: IMAP4rev1 (RFC 3501) and its extensions over mailstore, for any account on any pod.
//!
//! ```text
//! main -> app -> connection -> command -> session, view -> wire
//!                                 |
//!                                 +-> ports of directory and mailstore (never their services)
//! ```
//!
//! - [`wire`]: octets to commands and responses to octets; [`section`]: from a section to octets of a message (pure)
//! - [`session`], [`view`]: which command is allowed when; what the client knows of its mailbox (pure)
//! - [`command`]: one command per file, on the ports
//! - [`connection`]: the only module with sockets; [`watch`]: one stream of changes for all sessions
//!
//! Invariants
//! - No state outlives a connection: every pod can serve every account.
//! - The client's sequence numbers change only when it is told (EXPUNGE, VANISHED, EXISTS).
//! - Listing never touches bodies; a body streams from mailstore into its literal.
//! - `OK` to APPEND, COPY, MOVE, STORE and EXPUNGE only after mailstore says it is durable.

pub mod app;
pub mod command;
pub mod config;
pub mod connection;
pub mod login;
pub mod metrics;
pub mod section;
pub mod session;
pub mod settings;
pub mod view;
pub mod watch;
pub mod wire;
