//! staffetta-local
