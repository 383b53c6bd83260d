//! What an SMTP client says and when, without sockets, clock or async.
//!
//! Two machines follow each other on a connection: [`Handshake`] (greeting to ready) once, [`Transaction`] once per
//! message. Both take replies in and hand a [`Step`] out; the driver does what the step says and feeds the outcome back.
//!
//! ```text
//! greeting -> EHLO (-> HELO) -> STARTTLS -> TLS -> EHLO -> AUTH -> ready
//! ready -> [RSET] MAIL -> RCPT.. -> DATA -> body -> final reply -> ready
//! ```

mod handshake;
mod report;
#[cfg(test)]
mod tests;
mod transaction;

pub use handshake::{Credentials, Handshake, HandshakeFailure, HandshakeStep, Hello, TlsUse};
pub use report::{deferred, failed, own_reply, remote_reply, verdict_of};
pub use transaction::{EightBitPolicy, Envelope, Outcome, Transaction, TransactionStep};

/// What the client waits for, by the time limit that RFC 5321 4.5.3.2 sets for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The greeting.
    Greeting,
    /// EHLO, HELO, STARTTLS, AUTH.
    Hello,
    /// MAIL, RSET.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA, up to 354.
    Data,
    /// The reply to the final dot.
    FinalDot,
}
