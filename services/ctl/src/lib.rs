//! staffetta-ctl
