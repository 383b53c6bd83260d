//! What the tests and benchmarks are made of: plain clients of every protocol, and whole platforms to try them on.
//!
//! The clients speak the wire themselves and share no code with the servers, so that a mistake is not made on both sides.

pub use staffetta_local::client;
pub mod local;
