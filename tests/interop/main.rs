//! Real mail programs against a running local platform.

mod clients;
mod ctl;
mod postfix;
mod program;
