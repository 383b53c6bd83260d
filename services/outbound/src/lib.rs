//! outbound: the queue, and delivery of what is in it.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | the queue in Postgres and object storage (adapter of the outbound-api ports) |
//! | [`worker`] | claims, attempts, settles; notices to senders |
//! | [`route`] | where a domain's mail goes: DNS, order of servers, loops |
//! | [`client`] | the SMTP client: pure session, driver, pool |
//! | [`app`], [`config`], [`metrics`], [`error`] | wiring |
//!
//! Invariants
//! - `enqueue` answers after body and rows are durable; a transaction is queued once.
//! - A delivery is worked on under one lease; every settle carries its fencing token; remote delivery is at least once.
//! - The null sender is never written to; a notice is queued in the transaction that makes it due.
//! - Mail for a domain that is ours never leaves; a host that is us is never connected to.

pub mod app;
pub mod client;
pub mod config;
pub mod error;
pub mod metrics;
pub mod route;
pub mod store;
pub mod worker;

pub use app::Outbound;
pub use config::OutboundConfig;

#[cfg(test)]
mod tests;
