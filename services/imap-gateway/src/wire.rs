//! The IMAP wire: octets to commands, responses to octets. No sockets, no clock, no storage.
//!
//! - [`decoder`]: the framing state machine, from octets to [`decoder::Input`]; bounded by [`limits`]
//! - [`grammar`]: the command grammar, one function per ABNF rule
//! - [`command`], [`fetch`], [`search`], [`flag`], [`sequence`]: what a client can say, as data
//! - [`response`]: responses, written straight into a buffer
//! - [`mutf7`]: mailbox names on the wire
//!
//! Invariants: no input panics; what is held per connection is bounded by [`limits::Limits`]; how the input is
//! cut into reads changes nothing; the text of a refused literal never runs as a command.

pub mod command;
pub mod decoder;
pub mod fetch;
pub mod flag;
pub mod grammar;
pub mod limits;
pub mod mutf7;
pub mod response;
pub mod search;
pub mod sequence;
