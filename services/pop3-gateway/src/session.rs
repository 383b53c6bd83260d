//! The POP3 session (RFC 1939 3): AUTHORIZATION, then TRANSACTION; UPDATE is what QUIT does. Pure: lines in, steps out.
//!
//! Each state is a struct with exactly what is valid in it; a step consumes the state and returns the next.

use secrecy::{ExposeSecret, SecretString};
use staffetta_sasl::{Credentials, Exchange, Failure, Mechanism, Step};

use crate::maildrop::Maildrop;
use crate::wire::{AuthArguments, Code, Command, Reply, SyntaxError};

/// What the connection permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// TLS is on.
    pub secure: bool,
    /// STLS is possible.
    pub offers_tls: bool,
    /// A password may travel here even without TLS (loopback, if so configured).
    pub trusted: bool,
}

/// AUTHORIZATION: nobody is logged in.
#[derive(Debug)]
pub struct Authorization {
    channel: Channel,
    pending: Pending,
}

/// TRANSACTION: the maildrop is open.
#[derive(Debug)]
pub struct Transaction {
    /// The snapshot and its marks.
    pub maildrop: Maildrop,
    channel: Channel,
}

/// What AUTHORIZATION waits for besides commands.
#[derive(Debug)]
enum Pending {
    Nothing,
    /// USER was given.
    Password(String),
    /// An AUTH exchange waits for its response: the next line is no command.
    Response(Exchange),
}

/// A line as its state understands it.
#[derive(Debug)]
pub enum Incoming {
    /// A command.
    Command(Command),
    /// The response of an AUTH exchange.
    Response(SecretString),
}

/// A step of AUTH or PASS.
#[derive(Debug)]
pub enum LoginStep {
    /// Ask the client on (base64).
    Challenge(Authorization, String),
    /// Check these.
    Check(Authorization, Credentials),
    /// It came to nothing.
    Refused(Authorization, Reply),
}

// === impl Channel ===

impl Channel {
    /// Whether passwords are taken.
    #[must_use]
    pub fn takes_passwords(self) -> bool {
        self.secure || self.trusted
    }

    fn refusal(self) -> Reply {
        if self.offers_tls {
            Reply::err("passwords are taken only over TLS, use STLS first")
        } else {
            Reply::err("passwords are taken only over TLS")
        }
    }
}

// === impl Authorization ===

impl Authorization {
    /// A session at its greeting.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel, pending: Pending::Nothing }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// The line is no command.
    pub fn receive(&self, line: &[u8]) -> Result<Incoming, SyntaxError> {
        if self.awaits_response() {
            return Ok(Incoming::Response(SecretString::from(String::from_utf8_lossy(line).into_owned())));
        }
        Command::parse(line).map(Incoming::Command)
    }

    /// Whether the next line is the response of an AUTH exchange, which may be long.
    #[must_use]
    pub fn awaits_response(&self) -> bool {
        matches!(self.pending, Pending::Response(_))
    }

    /// What the connection permits.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// `USER`: any name is taken, so that nobody learns which exist (RFC 1939 13).
    #[must_use]
    pub fn user(self, name: String) -> (Self, Reply) {
        if !self.channel.takes_passwords() {
            return (self.idle(), self.channel.refusal());
        }
        (Self { pending: Pending::Password(name), ..self }, Reply::ok("send your password"))
    }

    /// `PASS`: only right after USER.
    #[must_use]
    pub fn pass(self, password: SecretString) -> LoginStep {
        let idle = self.idle();
        match self.pending {
            Pending::Password(name) => {
                let credentials =
                    Credentials { authorization_id: name.clone(), authentication_id: name, password };
                LoginStep::Check(idle, credentials)
            }
            _ if !self.channel.takes_passwords() => LoginStep::Refused(idle, self.channel.refusal()),
            _ => LoginStep::Refused(idle, Reply::err("give USER first")),
        }
    }

    /// `AUTH mechanism [initial-response]` (RFC 5034 4).
    #[must_use]
    pub fn auth(self, arguments: &AuthArguments) -> LoginStep {
        let idle = self.idle();
        if !self.channel.takes_passwords() {
            return LoginStep::Refused(idle, self.channel.refusal());
        }
        // LOGIN exists for SMTP; POP3 clients without PLAIN have USER and PASS.
        let Ok(mechanism @ Mechanism::Plain) = arguments.mechanism.parse() else {
            return LoginStep::Refused(idle, Reply::err("unknown authentication mechanism"));
        };
        let initial = arguments.initial.as_ref().map(|initial| initial.expose_secret().as_bytes());
        idle.step(Exchange::start(mechanism, initial))
    }

    /// The client's response in an AUTH exchange.
    #[must_use]
    pub fn respond(self, line: &SecretString) -> LoginStep {
        let idle = self.idle();
        match self.pending {
            Pending::Response(exchange) => idle.step(exchange.respond(line.expose_secret().as_bytes())),
            _ => LoginStep::Refused(idle, Reply::err("no authentication is going on")),
        }
    }

    /// `STLS` (RFC 2595 4). `Ok`: answer, throw away what the client sent meanwhile, shake hands.
    ///
    /// # Errors
    /// The refusal.
    pub fn stls(&self) -> Result<Reply, Reply> {
        match self.channel {
            Channel { secure: true, .. } => Err(Reply::err("TLS is on already")),
            Channel { offers_tls: false, .. } => Err(Reply::err("TLS is not available")),
            _ => Ok(Reply::ok("begin TLS negotiation")),
        }
    }

    /// TLS is on: everything said before is forgotten (RFC 2595 4).
    #[must_use]
    pub fn secured(self) -> Self {
        let channel = Channel { secure: true, offers_tls: false, ..self.channel };
        Self { channel, pending: Pending::Nothing }
    }

    /// The credentials were good and the maildrop is open.
    #[must_use]
    pub fn logged_in(self, maildrop: Maildrop) -> Transaction {
        Transaction { maildrop, channel: self.channel }
    }

    fn step(self, step: Step) -> LoginStep {
        match step {
            Step::Challenge(challenge, exchange) => {
                let line = staffetta_sasl::server::challenge_line(challenge);
                LoginStep::Challenge(Self { pending: Pending::Response(exchange), ..self }, line)
            }
            Step::Done(credentials) => LoginStep::Check(self, credentials),
            Step::Failed(Failure::Authorization) => {
                LoginStep::Refused(self, Reply::coded(Code::Auth, Failure::Authorization.to_string()))
            }
            Step::Failed(failure) => LoginStep::Refused(self, Reply::err(failure.to_string())),
        }
    }

    fn idle(&self) -> Self {
        Self::new(self.channel)
    }
}

// === impl Transaction ===

impl Transaction {
    /// What the connection permits.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURE: Channel = Channel { secure: true, offers_tls: false, trusted: false };
    const PLAIN: Channel = Channel { secure: false, offers_tls: true, trusted: false };

    fn refused(step: LoginStep) -> (Authorization, Reply) {
        match step {
            LoginStep::Refused(state, reply) => (state, reply),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_tls_no_way_to_give_a_password_is_open() {
        let (state, reply) = Authorization::new(PLAIN).user("a".to_owned());
        assert!(!reply.is_ok());
        let (state, _) = refused(state.pass(SecretString::from("x")));
        let plain = AuthArguments { mechanism: "PLAIN".to_owned(), initial: None };
        refused(state.auth(&plain));
        let trusted = Channel { trusted: true, ..PLAIN };
        assert!(Authorization::new(trusted).user("a".to_owned()).1.is_ok());
    }

    #[test]
    fn pass_is_taken_only_right_after_user() {
        let (state, _) = refused(Authorization::new(SECURE).pass(SecretString::from("x")));
        let (state, _) = state.user("alice".to_owned());
        let LoginStep::Check(state, credentials) = state.pass(SecretString::from("x")) else { panic!() };
        assert_eq!(credentials.authentication_id, "alice");
        refused(state.pass(SecretString::from("x")));
    }

    #[test]
    fn auth_response_is_no_command_even_if_it_looks_like_one() {
        let plain = AuthArguments { mechanism: "plain".to_owned(), initial: None };
        let LoginStep::Challenge(state, line) = Authorization::new(SECURE).auth(&plain) else { panic!() };
        assert_eq!(line, "");
        assert!(matches!(state.receive(b"QUIT"), Ok(Incoming::Response(_))));
        let (state, _) = refused(state.respond(&SecretString::from("QUIT?")));
        assert!(matches!(state.receive(b"QUIT"), Ok(Incoming::Command(Command::Quit))));
    }

    #[test]
    fn tls_forgets_the_user_and_is_not_offered_twice() {
        let trusted = Channel { trusted: true, ..PLAIN };
        let (state, _) = Authorization::new(trusted).user("mallory".to_owned());
        assert!(state.stls().is_ok());
        let state = state.secured();
        assert!(state.stls().is_err());
        refused(state.pass(SecretString::from("x")));
    }
}
