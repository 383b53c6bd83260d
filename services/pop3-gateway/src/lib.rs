//! staffetta-pop3-gateway
