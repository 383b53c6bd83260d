//! staffetta-outbound
