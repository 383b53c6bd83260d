//! Small clients that say exactly what a test tells them to say.

pub mod imap;
pub mod pop3;
pub mod smtp;
mod stream;

pub use stream::{Stream, trust};
