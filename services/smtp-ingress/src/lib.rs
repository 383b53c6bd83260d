//! smtp-ingress: takes mail by SMTP, from other servers (role `mx`) and from users (`submission`, `submissions`),
//! and makes it durable before it says yes.
//!
//! | module | what | may use |
//! |---|---|---|
//! | [`session`] | the pure session machine | wire format, domain types |
//! | [`policy`], [`recipients`] | who may do what | ports |
//! | [`accept`] | the one step that makes a message durable | ports |
//! | [`connection`] | the driver: sockets, time limits, bodies, the log line | all of the above |
//! | [`ports`] | what is called, as traits | `*/api` |
//! | [`app`] | wires adapters to ports, binds listeners | everything |
//!
//! Invariants
//! - A 250 to a final dot leaves only after mailstore or the queue said that the message is durable.
//! - Nobody relays without having logged in; on the mx role nobody logs in.
//! - A password is taken only inside TLS (or from loopback, if settings say so).
//! - A transaction past its final dot is answered, whatever ends meanwhile.
//! - Memory is bounded per connection (line, header, read buffer) and in sum (spool).
//! - Nothing is global: several ingresses may run in one operating system process.

pub mod accept;
pub mod app;
pub mod config;
pub mod connection;
pub mod error;
#[cfg(test)]
mod fakes;
pub mod metrics;
pub mod policy;
pub mod ports;
pub mod recipients;
pub mod session;

pub use app::SmtpIngress;
pub use config::Config;
