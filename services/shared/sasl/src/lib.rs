//! staffetta-sasl
