//! The IMAP wire: bytes to commands, responses to bytes. No sockets, no clock, no storage.
//!
//! - [`command`], [`fetch`], [`search`], [`flag`], [`sequence`]: what a client can say, as data.

pub mod command;
pub mod fetch;
pub mod flag;
pub mod search;
pub mod sequence;
