//! Whole platforms on one machine, from the same service libraries that run in a cluster.
//!
//! - [`run`]: the program; [`platform`]: one platform in this process; [`configuration`]: the settings of its processes
//! - [`ca`], [`dns`], [`ports`]: what surrounds a platform
//! - [`client`]: clients of every protocol, for the demonstration, the tests and the benchmarks
//!
//! Invariants: everything listens on loopback; nothing is global, so any number of platforms run side by side; a second start
//! on the same data folder finds the mail of the first.

pub mod accounts;
pub mod admin;
pub mod ca;
pub mod client;
pub mod configuration;
pub mod demo;
pub mod dns;
pub mod options;
pub mod platform;
pub mod ports;
pub mod run;
mod screen;
