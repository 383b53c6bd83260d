//! Small clients that say exactly what they are told to say: for the demonstration, the tests and the benchmarks.
//!
//! They speak the wire themselves and share no code with the servers, so that a mistake is not made on both sides.

pub mod imap;
pub mod pop3;
pub mod smtp;
mod stream;

pub use stream::{Stream, trust};
