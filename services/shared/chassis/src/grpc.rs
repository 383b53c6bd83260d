//! gRPC both ways: a server on our own TLS acceptor, a client that balances over all addresses of a name.
//!
//! Invariants: every call has a deadline unless the caller says otherwise ([`CallTimeout`]); the trace
//! context travels with every call; an error that was typed at the server is the same type at the caller
//! ([`into_status`], [`from_status`]); a call is never repeated here once it may have reached a server.

mod body;
pub mod client;
mod deadline;
mod error;
mod identity;
mod measure;
pub mod server;
mod trace;

pub use client::{CallTimeout, Channel, GrpcClientConfig};
pub use error::{TransportError, WireError, from_status, into_status};
pub use identity::{WORKLOAD_HEADER, WORKLOAD_KEY_HEADER, WorkloadIdentity, require_workload};
pub use server::{GrpcServer, GrpcServerConfig};

/// Flow control windows in bytes: bodies travel in chunks of 64-256 KiB, several must fit on the way.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Header blocks in bytes; a typed error that names many recipients is the largest.
const MAX_HEADERS: u32 = 256 * 1024;

#[cfg(test)]
mod tests;
