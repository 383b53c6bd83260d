//! directory: who exists, who may log in, where an address leads and how much one may send.
//!
//! Invariants
//! - A password is compared with an argon2id hash or with the verification cache, which holds none; it is never logged.
//! - A login compares the credential's version with the database, cache or not; it writes nothing.
//! - A session is a signed handle: it ends with its account's session version, its credential's version, an entry in
//!   `ended_session`, or its own life, whichever is first.
//! - Failures lock (login, address) pairs and addresses; a login alone is only slowed.
//! - A sending budget is decided under the lock of its row, once per transaction id.
//!
//! Map: [`app`] wires; `authentication` (hasher, verified, handle) and `lockout`; `resolution`; `budgets` (batch, window);
//! `administration`; `view` puts them behind the port's traits; `rows`, `error`, `metrics`, `cleanup`; [`config`]. SQL is
//! in `sql/<entity>/<verb>.sql`.

pub mod app;
pub mod config;

mod administration;
mod authentication;
mod budgets;
mod cleanup;
mod error;
mod lockout;
mod metrics;
mod resolution;
mod rows;
mod view;

#[cfg(test)]
mod tests;

pub use app::Directory;
pub use config::DirectoryConfig;
