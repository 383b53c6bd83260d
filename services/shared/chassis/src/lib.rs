//! What every process is made of: one run function, configuration, logs, metrics, health, listeners, TLS,
//! gRPC both ways, Postgres, the spool for bodies, time and retries.
//!
//! Invariants:
//! - Nothing here is global: registries, clocks and health live in a [`process::Context`]; several services
//!   may run in one operating system process. Only [`process::run`] and [`telemetry::init`] install anything
//!   process-wide (the log subscriber and the TLS provider).
//! - No word of the product's domain appears in this crate.
//! - Every limit and every wait has a setting with a default.
//!
//! Map: [`process`] (run, `Service`, `Context`), [`config`], [`telemetry`], [`health`], [`drain`], [`tasks`],
//! [`clock`], [`backoff`], [`net`], [`tls`], [`grpc`], [`postgres`], [`spool`], [`testing`].

pub mod backoff;
pub mod clock;
pub mod config;
pub mod drain;
pub mod grpc;
pub mod health;
pub mod net;
pub mod postgres;
pub mod process;
pub mod spool;
pub mod tasks;
pub mod telemetry;
pub mod testing;
pub mod tls;

pub use process::{Context, Service, run};
