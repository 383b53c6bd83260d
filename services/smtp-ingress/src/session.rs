//! The SMTP session as a pure machine: events in, one effect out. No sockets, no clock, no port.
//!
//! ```text
//!            EHLO/HELO             MAIL                RCPT                DATA
//! Greeted ──────────────> Identified ──────> Sender ──────> Recipients ──────> Body
//!    ^                     │   ^ ^  <──RSET, EHLO──┴──────────────┘              │
//!    └──────STARTTLS───────┘   │ └──────────────── final dot, answered ──────────┘
//!                        AUTH  v
//!                       Authenticating
//! ```
//!
//! Between a question to directory or the stores and its answer the machine stands in `Awaiting..`; the driver
//! hands in nothing else meanwhile, so pipelined commands are seen one by one, in order.
//!
//! Invariants
//! - A password is asked for only where [`Facts::passwords_allowed`]; never on the mx role.
//! - After STARTTLS nothing said before counts: the machine is back in `Greeted`.
//! - `Body` is reached only with a recipient and after the sending budget was charged.
//! - After [`Effect::Close`] no event yields anything but [`Effect::Hangup`].

mod authenticating;
mod commands;
mod transaction;

pub use authenticating::Account;
pub(crate) use commands::too_large;
pub use staffetta_sasl::Credentials;
pub use transaction::{Recipient, Route, Transaction};

use bytes::Bytes;
use staffetta_mailstore_api::TransactionId;
use staffetta_message::address::Address;
use staffetta_smtp::command::{ClientName, Command, CommandError, ForwardPath};
use staffetta_smtp::line::LineError;
use staffetta_smtp::reply::{EnhancedCode, Reply, Severity};

use crate::config::Role;
use authenticating::Authenticating;

/// What is fixed for a connection, or changes only by STARTTLS.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the listener is for.
    pub role: Role,
    /// What we call ourselves.
    pub hostname: String,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Whether STARTTLS is possible.
    pub tls_available: bool,
    /// Whether this peer may send a password in the clear.
    pub plaintext_auth: bool,
    /// Largest message in octets.
    pub max_message_size: u64,
    /// Most recipients of one transaction.
    pub max_recipients: usize,
    /// Most refused commands since the last accepted message.
    pub max_errors: u32,
    /// Most transactions of one connection.
    pub max_transactions: u32,
}

impl Facts {
    /// Whether a password may be taken now.
    #[must_use]
    pub fn passwords_allowed(&self) -> bool {
        self.role.authenticates() && (self.encrypted || self.plaintext_auth)
    }

    /// Whether STARTTLS is offered now.
    #[must_use]
    pub fn starttls_offered(&self) -> bool {
        self.tls_available && !self.encrypted
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A line that should be a command.
    Command(Result<Command, CommandError>),
    /// A line while [`Session::expects_auth_line`].
    AuthLine(Bytes),
    /// The peer's octets are no lines.
    BadLine(LineError),
    /// The handshake after [`Effect::StartTls`] is done.
    TlsStarted,
    /// Answer to [`Effect::Authenticate`].
    Authenticated(Result<Account, Reply>),
    /// Answer to [`Effect::JudgeSender`].
    SenderJudged(Result<TransactionId, Reply>),
    /// Answer to [`Effect::JudgeRecipient`].
    RecipientJudged(Result<Recipient, Reply>),
    /// Answer to [`Effect::OpenBody`].
    BodyOpened(Result<(), Reply>),
    /// Answer to [`Effect::ReceiveBody`]: the reply to the final dot; positive means durable.
    BodyFinished(Reply),
    /// The peer was silent for too long.
    TimedOut,
    /// The process ends and the session is at a command boundary.
    Draining,
}

/// What the driver has to do now.
#[derive(Debug)]
pub enum Effect {
    /// Send the reply and take the next line.
    Reply(Reply),
    /// Take the next line: inside TLS the client speaks first (RFC 3207 4.2).
    Listen,
    /// Send the reply, then close.
    Close(Reply),
    /// Close without a word.
    Hangup,
    /// Send the reply, throw away what was received, start TLS, answer [`Event::TlsStarted`].
    StartTls(Reply),
    /// Check a password; answer [`Event::Authenticated`].
    Authenticate(Credentials),
    /// May this sender begin a transaction? Draw its id; answer [`Event::SenderJudged`].
    JudgeSender(Option<Address>),
    /// Where does this recipient lead? Answer [`Event::RecipientJudged`].
    JudgeRecipient(ForwardPath),
    /// Charge what [`Session::transaction`] costs; answer [`Event::BodyOpened`].
    OpenBody,
    /// Send the reply, receive the body, accept it or not; answer [`Event::BodyFinished`].
    ReceiveBody(Reply),
}

/// One connection's session.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    state: State,
    errors: u32,
    transactions: u32,
}

/// Where the session stands; each state holds exactly what is valid then.
#[derive(Debug)]
enum State {
    Greeted,
    Identified(Identified),
    Authenticating(Authenticating),
    AwaitingAccount(Identified),
    AwaitingSender(Identified, Opening),
    Sender(Identified, Transaction),
    AwaitingRecipient(Identified, Transaction),
    Recipients(Identified, Transaction),
    AwaitingBody(Identified, Transaction),
    Body(Identified, Transaction),
    Closing,
}

/// Who the peer is.
#[derive(Debug, Clone)]
pub struct Identified {
    /// What the client calls itself.
    pub client: ClientName,
    /// Whether it said EHLO.
    pub extended: bool,
    /// Who has logged in.
    pub account: Option<Account>,
}

/// What MAIL said, until its sender is judged.
#[derive(Debug)]
struct Opening {
    sender: Option<Address>,
    size: Option<u64>,
}

/// Next state and what to do.
type Step = (State, Effect);

impl Session {
    /// A session that has just been connected.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self { facts, state: State::Greeted, errors: 0, transactions: 0 }
    }

    /// The first words of the server.
    #[must_use]
    pub fn greeting(&self) -> Reply {
        Reply::plain(220, format!("{} ESMTP Staffetta", self.facts.hostname))
    }

    /// Whether the next line belongs to an AUTH exchange.
    #[must_use]
    pub fn expects_auth_line(&self) -> bool {
        matches!(self.state, State::Authenticating(_))
    }

    /// Whether the connection is encrypted, and the other facts.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who the peer is, once it said so.
    #[must_use]
    pub fn peer(&self) -> Option<&Identified> {
        match &self.state {
            State::Identified(peer)
            | State::AwaitingAccount(peer)
            | State::AwaitingSender(peer, _)
            | State::Sender(peer, _)
            | State::AwaitingRecipient(peer, _)
            | State::Recipients(peer, _)
            | State::AwaitingBody(peer, _)
            | State::Body(peer, _) => Some(peer),
            State::Authenticating(state) => Some(state.peer()),
            State::Greeted | State::Closing => None,
        }
    }

    /// Who has logged in.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.peer().and_then(|peer| peer.account.as_ref())
    }

    /// The transaction that is open.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        match &self.state {
            State::Sender(_, transaction)
            | State::AwaitingRecipient(_, transaction)
            | State::Recipients(_, transaction)
            | State::AwaitingBody(_, transaction)
            | State::Body(_, transaction) => Some(transaction),
            _ => None,
        }
    }

    /// Takes one event and says what to do.
    pub fn handle(&mut self, event: Event) -> Effect {
        let state = std::mem::replace(&mut self.state, State::Closing);
        // The answer to a final dot must reach the peer; the next refused command closes.
        let closable = !matches!(event, Event::BodyFinished(_));
        let (state, effect) = self.step(state, event);
        let effect = self.count(effect, closable);
        self.state = match effect {
            Effect::Close(_) | Effect::Hangup => State::Closing,
            _ => state,
        };
        effect
    }

    fn step(&mut self, state: State, event: Event) -> Step {
        match (state, event) {
            (State::Closing, _) => (State::Closing, Effect::Hangup),
            (state, Event::Command(Ok(command))) => self.command(state, command),
            (state, Event::Command(Err(error))) => (state, Effect::Reply(error.reply())),
            (_, Event::BadLine(error)) => (State::Closing, Effect::Close(bad_line(error))),
            (_, Event::TimedOut) => close(Reply::new(
                421,
                EnhancedCode(4, 4, 2),
                format!("{} idle too long", self.facts.hostname),
            )),
            (_, Event::Draining) => close(Reply::new(
                421,
                EnhancedCode(4, 3, 2),
                format!("{} shutting down", self.facts.hostname),
            )),
            (State::Authenticating(state), Event::AuthLine(line)) => state.line(&line),
            (State::AwaitingAccount(peer), Event::Authenticated(result)) => {
                authenticating::done(peer, result)
            }
            (State::AwaitingSender(peer, opening), Event::SenderJudged(result)) => {
                self.sender_judged(peer, opening, result)
            }
            (State::AwaitingRecipient(peer, transaction), Event::RecipientJudged(result)) => {
                recipient_judged(peer, transaction, result)
            }
            (State::AwaitingBody(peer, transaction), Event::BodyOpened(result)) => match result {
                Ok(()) => {
                    let go = Reply::plain(354, "end with <CRLF>.<CRLF>");
                    (State::Body(peer, transaction), Effect::ReceiveBody(go))
                }
                Err(reply) => (State::Identified(peer), Effect::Reply(reply)),
            },
            (State::Body(peer, _), Event::BodyFinished(reply)) => {
                if reply.is_positive() {
                    self.errors = 0;
                }
                (State::Identified(peer), Effect::Reply(reply))
            }
            (State::Greeted, Event::TlsStarted) => {
                self.facts.encrypted = true;
                (State::Greeted, Effect::Listen)
            }
            _ => close(Reply::new(421, EnhancedCode(4, 3, 0), "internal error")),
        }
    }

    fn sender_judged(
        &mut self,
        peer: Identified,
        opening: Opening,
        result: Result<TransactionId, Reply>,
    ) -> Step {
        match result {
            Ok(id) => {
                self.transactions += 1;
                let transaction = Transaction::new(id, opening.sender, opening.size);
                let reply = Reply::new(250, EnhancedCode(2, 1, 0), "sender ok");
                (State::Sender(peer, transaction), Effect::Reply(reply))
            }
            Err(reply) => (State::Identified(peer), Effect::Reply(reply)),
        }
    }

    /// Counts refused commands; the one too many closes the connection.
    fn count(&mut self, effect: Effect, closable: bool) -> Effect {
        match effect {
            Effect::Reply(reply) if reply.severity() == Severity::Permanent => {
                self.errors += 1;
                if self.errors < self.facts.max_errors || !closable {
                    return Effect::Reply(reply);
                }
                Effect::Close(Reply::new(421, EnhancedCode(4, 7, 0), "too many errors"))
            }
            other => other,
        }
    }
}

fn recipient_judged(
    peer: Identified,
    mut transaction: Transaction,
    result: Result<Recipient, Reply>,
) -> Step {
    let reply = match result {
        Ok(recipient) => {
            transaction.add(recipient);
            Reply::new(250, EnhancedCode(2, 1, 5), "recipient ok")
        }
        Err(reply) => reply,
    };
    let state = if transaction.recipients().is_empty() {
        State::Sender(peer, transaction)
    } else {
        State::Recipients(peer, transaction)
    };
    (state, Effect::Reply(reply))
}

fn bad_line(error: LineError) -> Reply {
    match error {
        LineError::TooLong => Reply::new(500, EnhancedCode(5, 5, 6), "line too long, closing"),
        LineError::BareLineBreak => {
            Reply::new(521, EnhancedCode(5, 5, 2), "lines must end with CRLF, closing")
        }
    }
}

fn close(reply: Reply) -> Step {
    (State::Closing, Effect::Close(reply))
}

#[cfg(test)]
mod tests;
