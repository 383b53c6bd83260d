//! Client and server against each other over loopback.

mod balancing;
mod calls;
mod identity;
mod say;
