//! staffetta-mailstore
