//! staffetta-tests
