//! staffetta-imap-gateway

pub mod wire;
pub mod section;
