//! The service's parts together, against servers in process.

mod client;
mod fixture;
mod peer;
mod relay;
mod service;
