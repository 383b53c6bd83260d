//! Delivery workers: claim what is due, attempt it, settle.
//!
//! ```text
//! scheduler (claims, counts) -> attempt (one delivery: span, lease, settle) -> local | remote
//!                                             attempt -> outcome, notice (pure)
//! ```
//!
//! Invariants
//! - Nothing is claimed that cannot start at once.
//! - A lease is renewed while its attempt lasts; when that fails, the attempt ends and writes nothing.
//! - Every claimed delivery is settled, released, or left to its lease's end; it is never forgotten.

pub mod attempt;
pub mod lease;
pub mod local;
pub mod notice;
pub mod outcome;
pub mod remote;
pub mod scheduler;
