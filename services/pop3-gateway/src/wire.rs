//! The POP3 wire format (RFC 1939 3, RFC 2449): lines in, status lines and multi-line responses out. Pure.

mod command;
mod line;
mod reply;
mod stuffing;

pub use command::{AuthArguments, Command, SyntaxError};
pub use line::{LineTooLong, next_line};
pub use reply::{Code, Lines, Reply};
pub use stuffing::DotStuffer;
