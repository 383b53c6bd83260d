//! The POP3 gateway: RFC 1939 with STLS (2595), CAPA (2449), AUTH (5034) and response codes (2449, 3206).
//!
//! Map: [`wire`] (pure codec) <- [`session`] (pure machine), [`maildrop`] (pure snapshot and marks) <- [`command`] (one
//! command per file, calls ports) <- [`connection`] (sockets, time) <- [`app`] (wires ports to adapters). [`account`] is a
//! login with its maildrop lease, kept alive beside whatever the session does.
//!
//! Invariants
//! - Nothing is removed without QUIT, and only by one call that carries the lease's fencing token.
//! - A message is sent byte-exact and whole, or the connection is cut before the terminating dot.
//! - A password is taken over TLS only (or from loopback, if so configured); what a client sent before a handshake is
//!   thrown away.
//! - Memory of a session: one line, one batch of 64 KiB, one chunk of a message, 32 octets for each message of INBOX.

pub mod account;
pub mod app;
pub mod command;
pub mod config;
pub mod connection;
pub mod error;
pub mod maildrop;
pub mod metrics;
pub mod services;
pub mod session;
pub mod wire;

pub use app::Pop3Gateway;
pub use config::Config;
