//! What the tests and benchmarks are made of: plain clients of every protocol, and whole platforms to try them on.
//!
//! - [`client`]: clients that speak the wire themselves and share no code with the servers, so that a mistake is not made on
//!   both sides
//! - [`local`]: `staffetta-local` as its users start it
//! - [`cluster`]: every service as its own process, on a real PostgreSQL, Redis and an S3 endpoint
//! - [`collector`]: takes traces; [`mail`]: messages and what became of them
//!
//! Invariant: nothing that a test starts outlives it, however it ends.

pub use staffetta_local::client;
pub mod cluster;
pub mod collector;
pub mod eventually;
pub mod local;
pub mod mail;
pub mod process;
pub mod redis_server;
pub mod s3_server;
