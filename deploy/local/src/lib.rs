//! Whole platforms on one machine, from the same service libraries that run in a cluster.

pub mod ca;
pub mod dns;
