//! The `staffetta` command: domains, accounts, aliases and the queue, for people.

pub mod endpoints;
