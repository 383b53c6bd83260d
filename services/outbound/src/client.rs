//! The SMTP client: a pure session machine, and what drives it over sockets.
//!
//! ```text
//! remote -> pool -> connect -> connection (sockets, time limits) -> session (pure) -> wire
//! ```
//!
//! Invariants
//! - A reply is believed only for the command it answers; a connection out of step is closed, never reused.
//! - Octets that arrived before TLS was up are thrown away (no response injection).
//! - The final dot is sent only under a lease that was just renewed; when what follows is unknown, the recipients are
//!   deferred, never failed.

pub mod connect;
pub mod connection;
pub mod pool;
pub mod session;
pub mod stream;
pub mod timeouts;
