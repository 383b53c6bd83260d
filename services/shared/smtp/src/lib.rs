//! The wire format of SMTP (RFC 5321), both directions: what a server reads and writes, what a client reads and
//! writes. Pure: no I/O, no clock, no async, no logging.
//!
//! | module | server | client |
//! |---|---|---|
//! | [`line`] | frames command lines | |
//! | [`command`] | parses them | |
//! | [`reply`] | formats replies | reads them |
//! | [`data`] | receives a body | sends a body |
//! | [`capabilities`] | | reads the answer to EHLO |
//!
//! Invariants
//! - Only CRLF ends a line and only CRLF.CRLF ends a body; everything else that some server somewhere takes for
//!   one is an error, so nothing can be smuggled in or out.
//! - The result never depends on how the octets were split.
//! - Every length and count has a limit; no input panics.

pub mod capabilities;
pub mod command;
pub mod data;
pub mod line;
pub mod reply;
