//! From the greeting to a connection that takes mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use staffetta_chassis::config::Secret;
use staffetta_smtp::capabilities::Capabilities;
use staffetta_smtp::reply::{EnhancedCode, Reply};

use super::Phase;

/// What this side wants of a connection.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The name for EHLO.
    pub name: String,
    /// Whether to use TLS.
    pub tls: TlsUse,
    /// Logs in with these, over TLS only.
    pub credentials: Option<Credentials>,
}

/// Whether to use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsUse {
    /// Never.
    Off,
    /// Where it is offered (RFC 7435).
    Opportunistic,
    /// Always; without it nothing is sent.
    Required,
}

/// A login at a smarthost.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The login.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// What the driver does next.
#[derive(Debug)]
#[must_use]
pub enum HandshakeStep {
    /// Sends these octets (maybe none), then waits for one reply.
    Send(Bytes, Phase),
    /// Throws away what is buffered and starts TLS, then calls [`Handshake::on_tls`].
    StartTls,
    /// The connection takes mail.
    Ready(Capabilities),
    /// The connection is of no use.
    Failed(HandshakeFailure),
}

/// Why a connection is of no use. Never a reason to bounce: another host, or a later time, may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailure {
    /// What the server said, if it spoke.
    pub reply: Option<Reply>,
    /// Our own code for it.
    pub enhanced: EnhancedCode,
    /// What happened, for people.
    pub text: String,
    /// TLS broke down where it was optional: without it the connection may do.
    pub without_tls: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Handshake {
    hello: Hello,
    encrypted: bool,
    capabilities: Capabilities,
    expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Tls,
    AuthPlain,
    LoginUsername,
    LoginPassword,
    LoginEnd,
    Nothing,
}

impl Handshake {
    /// A connection that was just opened; `encrypted`: TLS is up already (implicit TLS).
    pub fn start(hello: Hello, encrypted: bool) -> (Self, HandshakeStep) {
        let machine =
            Self { hello, encrypted, capabilities: Capabilities::default(), expected: Expected::Greeting };
        (machine, HandshakeStep::Send(Bytes::new(), Phase::Greeting))
    }

    /// Takes the reply to what was sent last.
    pub fn on_reply(&mut self, reply: &Reply) -> HandshakeStep {
        match std::mem::replace(&mut self.expected, Expected::Nothing) {
            Expected::Greeting if reply.is_positive() => self.ehlo(),
            Expected::Greeting => refused(reply, "server does not take mail now"),
            Expected::Ehlo if reply.is_positive() => {
                self.capabilities = Capabilities::parse(reply);
                self.after_hello()
            }
            // RFC 5321 3.2: a server without extensions answers 500 or 502 to EHLO. 421 is no such answer.
            Expected::Ehlo if matches!(reply.code(), 500..=504 | 550 | 554) && !self.encrypted => {
                self.expected = Expected::Helo;
                send(format!("HELO {}\r\n", self.hello.name))
            }
            Expected::Helo if reply.is_positive() => self.after_hello(),
            Expected::Ehlo | Expected::Helo => refused(reply, "server refuses our greeting"),
            Expected::StartTls if reply.code() == 220 => {
                self.expected = Expected::Tls;
                HandshakeStep::StartTls
            }
            Expected::StartTls if self.hello.tls == TlsUse::Required => {
                refused(reply, "server refuses STARTTLS")
            }
            Expected::StartTls => self.authenticate(),
            Expected::AuthPlain | Expected::LoginEnd if reply.is_positive() => self.ready(),
            Expected::LoginUsername if reply.code() == 334 => {
                let username = self.hello.credentials.as_ref().map_or("", |login| login.username.as_str());
                let line = STANDARD.encode(username);
                self.expected = Expected::LoginPassword;
                send(line + "\r\n")
            }
            Expected::LoginPassword if reply.code() == 334 => {
                let password = self.hello.credentials.as_ref().map_or("", |login| login.password.expose());
                let line = STANDARD.encode(password);
                self.expected = Expected::LoginEnd;
                send(line + "\r\n")
            }
            Expected::AuthPlain | Expected::LoginUsername | Expected::LoginPassword | Expected::LoginEnd => {
                refused(reply, "server refuses our login")
            }
            Expected::Tls | Expected::Nothing => refused(reply, "server spoke out of turn"),
        }
    }

    /// TLS is up, or broke down for the reason given.
    pub fn on_tls(&mut self, outcome: Result<(), String>) -> HandshakeStep {
        match outcome {
            Ok(()) => {
                self.encrypted = true;
                self.capabilities = Capabilities::default();
                self.ehlo()
            }
            Err(reason) => HandshakeStep::Failed(HandshakeFailure {
                reply: None,
                enhanced: EnhancedCode(4, 7, 5),
                text: format!("TLS failed: {reason}"),
                without_tls: self.hello.tls == TlsUse::Opportunistic,
            }),
        }
    }

    fn ehlo(&mut self) -> HandshakeStep {
        self.expected = Expected::Ehlo;
        send(format!("EHLO {}\r\n", self.hello.name))
    }

    fn after_hello(&mut self) -> HandshakeStep {
        if self.encrypted || self.hello.tls == TlsUse::Off {
            return self.authenticate();
        }
        if self.capabilities.start_tls {
            self.expected = Expected::StartTls;
            return send("STARTTLS\r\n".to_owned());
        }
        if self.hello.tls == TlsUse::Required {
            return own(EnhancedCode(4, 7, 4), "TLS is required but the server does not offer it");
        }
        self.authenticate()
    }

    fn authenticate(&mut self) -> HandshakeStep {
        let Some(login) = &self.hello.credentials else { return self.ready() };
        if !self.encrypted {
            return own(EnhancedCode(4, 7, 4), "login is only made over TLS");
        }
        if self.capabilities.offers("PLAIN") {
            let response = STANDARD.encode(format!("\0{}\0{}", login.username, login.password.expose()));
            self.expected = Expected::AuthPlain;
            return send(format!("AUTH PLAIN {response}\r\n"));
        }
        if self.capabilities.offers("LOGIN") {
            self.expected = Expected::LoginUsername;
            return send("AUTH LOGIN\r\n".to_owned());
        }
        own(EnhancedCode(4, 7, 0), "server offers neither AUTH PLAIN nor AUTH LOGIN")
    }

    fn ready(&mut self) -> HandshakeStep {
        HandshakeStep::Ready(std::mem::take(&mut self.capabilities))
    }
}

fn send(line: String) -> HandshakeStep {
    HandshakeStep::Send(Bytes::from(line), Phase::Hello)
}

fn refused(reply: &Reply, what: &str) -> HandshakeStep {
    HandshakeStep::Failed(HandshakeFailure {
        reply: Some(reply.clone()),
        enhanced: EnhancedCode(4, 4, 2),
        text: format!("{what}: {reply}"),
        without_tls: false,
    })
}

fn own(enhanced: EnhancedCode, text: &str) -> HandshakeStep {
    HandshakeStep::Failed(HandshakeFailure {
        reply: None,
        enhanced,
        text: text.to_owned(),
        without_tls: false,
    })
}
