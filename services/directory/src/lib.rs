//! staffetta-directory
