//! staffetta-imap-gateway

pub mod wire;
