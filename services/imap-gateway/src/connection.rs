//! One client's connection: octets in, commands run, responses out.
//!
//! The only module that touches sockets. Between commands nothing is sent that the client did not ask for; in IDLE everything
//! that happens is. On drain a busy command finishes first, then comes `* BYE`, at a moment of its own within the spread.

mod append;
mod authenticate;
mod goodbye;
mod idle;
mod wire;

use std::sync::Arc;

use staffetta_chassis::drain::Draining;
use staffetta_chassis::net::{Connection, Peer};
use staffetta_chassis::spool::SpoolBudget;
use staffetta_chassis::tls::TlsServer;
use tokio::io::{AsyncRead, AsyncWrite};

use self::goodbye::Goodbye;
use self::wire::{End, Wire};
use crate::command::updates::{self, Expunges};
use crate::command::{self, Completion, Gateway, Session, Transport, capability, select};
use crate::login::Renewal;
use crate::session::{Enabled, State};
use crate::wire::command::{Command, CommandBody, Tag};
use crate::wire::decoder::Input;
use crate::wire::limits::Limits;
use crate::wire::response::{Code, Condition, Writer};

/// What every connection of a listener has in common.
#[derive(Debug, Clone)]
pub struct Acceptor {
    /// Shared by all sessions.
    pub gateway: Arc<Gateway>,
    /// The certificates; `None`: no TLS at all.
    pub tls: Option<TlsServer>,
    /// Whether TLS starts with the first octet (993).
    pub implicit_tls: bool,
    /// Whether a client on loopback may log in without TLS.
    pub plaintext_on_loopback: bool,
    /// Holds messages while APPEND receives them.
    pub spool: SpoolBudget,
    /// Tells of the drain.
    pub draining: Draining,
}

impl Acceptor {
    /// Serves one connection to its end.
    pub async fn serve(self, mut connection: Connection, peer: Peer) {
        if self.implicit_tls {
            let Some(tls) = &self.tls else { return };
            connection = match connection.start_tls(tls).await {
                Ok(connection) => connection,
                Err(error) => return tracing::debug!(%error, client = %peer.client, "TLS handshake failed"),
            };
        }
        self.gateway.metrics.session(1);
        let mut greet = true;
        loop {
            let transport = self.transport(peer, connection.is_tls());
            let driver = Driver::new(&self, transport, connection);
            match driver.run(greet).await {
                Some(plain) => {
                    let Some(tls) = &self.tls else { break };
                    connection = match plain.start_tls(tls).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            tracing::debug!(%error, client = %peer.client, "TLS handshake failed");
                            break;
                        }
                    };
                    greet = false;
                }
                None => break,
            }
        }
        self.gateway.metrics.session(-1);
    }

    /// What holds for a connection as it stands.
    pub fn transport(&self, peer: Peer, tls: bool) -> Transport {
        let local = self.plaintext_on_loopback && peer.client.ip().is_loopback();
        Transport {
            client: peer.client,
            tls,
            can_start_tls: self.tls.is_some() && !tls,
            passwords: tls || local,
        }
    }
}

/// One connection between two changes of its transport.
#[derive(Debug)]
pub struct Driver<'a, S> {
    acceptor: &'a Acceptor,
    gateway: &'a Gateway,
    wire: Wire<'a, S>,
    session: Session,
    goodbye: Goodbye,
    commands: u64,
    bad_commands: u32,
    login_failures: u32,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Driver<'a, S> {
    /// A driver at the start of a session.
    pub fn new(acceptor: &'a Acceptor, transport: Transport, stream: S) -> Self {
        let gateway = &*acceptor.gateway;
        Self {
            acceptor,
            gateway,
            wire: Wire::new(stream, gateway),
            session: Session { state: State::NotAuthenticated, enabled: Enabled::default(), transport },
            goodbye: Goodbye::new(acceptor.draining.clone(), gateway.settings.goodbye_spread),
            commands: 0,
            bad_commands: 0,
            login_failures: 0,
        }
    }

    /// Runs to the end of the session (`None`) or to STARTTLS, which gives the stream back.
    pub async fn run(mut self, greet: bool) -> Option<S> {
        if greet {
            let capabilities = capability::list(false, self.session.transport);
            let code = Code::Capability(&capabilities);
            Writer::new(self.wire.output()).untagged(Condition::Ok, Some(&code), "Staffetta ready");
        }
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        if let Some(login) = self.session.state.login() {
            login.end().await;
        }
        self.log(&end);
        match end {
            End::StartTls => Some(self.wire.into_plain()),
            end => {
                self.wire.close(end).await;
                None
            }
        }
    }

    fn log(&self, end: &End) {
        let account = self.session.state.login().map_or("-", |login| login.address.as_str());
        let (received, sent) = self.wire.traffic();
        tracing::info!(
            client = %self.session.transport.client, account, tls = self.session.transport.tls,
            commands = self.commands, received, sent, end = %end, "imap session"
        );
    }

    /// One input of the client.
    async fn turn(&mut self) -> Result<(), End> {
        match self.input().await? {
            Input::Command(command) => self.command(command).await,
            Input::LiteralWanted => {
                Writer::new(self.wire.output()).continuation("OK");
                Ok(())
            }
            Input::Append { tag, append } => self.append(tag, append).await,
            Input::Bad { tag, text } => self.bad(tag.as_ref(), text),
            Input::Fatal(text) => Err(End::Bye(None, text)),
            // Only asked for by IDLE, AUTHENTICATE and APPEND, which read it themselves.
            Input::Line(_) | Input::AppendChunk(_) | Input::AppendEnd => Ok(()),
        }
    }

    /// The next input between commands, where a drain may end the session.
    async fn input(&mut self) -> Result<Input, End> {
        self.next(true).await
    }

    /// The next piece of a message that is on its way: a drain lets it arrive, until the budget is spent.
    async fn piece(&mut self) -> Result<Input, End> {
        self.next(false).await
    }

    async fn next(&mut self, may_say_goodbye: bool) -> Result<Input, End> {
        let settings = &self.gateway.settings;
        let logged_in = self.session.state.login().is_some();
        let limit = if logged_in { settings.idle_timeout } else { settings.login_timeout };
        loop {
            if let Some(input) = self.wire.decode() {
                return Ok(input);
            }
            self.wire.flush().await?;
            tokio::select! {
                biased;
                read = self.wire.read() => read?,
                () = self.goodbye.wait(&*self.gateway.clock), if may_say_goodbye => {
                    return Err(End::Bye(Some(Code::Unavailable), "Server is shutting down, please come back"));
                }
                () = self.gateway.clock.sleep(limit) => {
                    return Err(End::Bye(None, "Idle for too long"));
                }
            }
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), End> {
        let started = self.gateway.clock.instant();
        let Command { tag, body } = command;
        let name = body.name();
        self.commands += 1;
        let completion = match self.session.state.admits(&body) {
            Ok(()) => {
                self.renew().await?;
                self.carry_out(&tag, body).await?
            }
            Err(refusal) => Some(Completion::bad(refusal.text())),
        };
        if let Some(completion) = completion {
            let elapsed = self.gateway.clock.instant().saturating_duration_since(started);
            self.gateway.metrics.command(name, completion.condition.name(), elapsed.as_secs_f64());
            self.complete(&tag, &completion)?;
        }
        Ok(())
    }

    /// Runs a command; `None`: it has written its own completion.
    async fn carry_out(&mut self, tag: &Tag, body: CommandBody) -> Result<Option<Completion>, End> {
        match body {
            CommandBody::Logout => {
                Writer::new(self.wire.output()).bye(None, "Goodbye");
                Completion::done().write(&mut Writer::new(self.wire.output()), tag);
                Err(End::Logout)
            }
            CommandBody::StartTls => self.start_tls(tag).await.map(Some),
            CommandBody::Login { user, password } => {
                self.login(user, password.expose().clone()).await.map(Some)
            }
            CommandBody::Authenticate { mechanism, initial } => {
                self.authenticate(&mechanism, initial).await.map(Some)
            }
            CommandBody::Idle => self.idle().await.map(Some),
            body => {
                let after = After::of(&body);
                let completion = command::run(self.gateway, &mut self.session, body, &mut self.wire).await?;
                self.after(after, completion).await.map(Some)
            }
        }
    }

    /// Tells what else happened, before the completion.
    async fn after(&mut self, after: After, completion: Completion) -> Result<Completion, End> {
        let enabled = self.session.enabled;
        let State::Selected(login, view) = &mut self.session.state else { return Ok(completion) };
        let (expunges, ask) = match after {
            After::Nothing => return Ok(completion),
            After::Poll => (Expunges::Tell, true),
            After::Tell => (Expunges::Tell, updates::is_due(login)),
            After::Hold => (Expunges::Hold, updates::is_due(login)),
        };
        match updates::sync(login, view, enabled, expunges, &mut self.wire, ask).await {
            Ok(()) => Ok(completion),
            Err(error) if select::is_gone(&error) => Err(End::Bye(None, "The selected mailbox was deleted")),
            Err(error) if after == After::Poll => Ok(Completion::from_error(&error)),
            Err(error) => {
                tracing::debug!(%error, "changes not looked at after a command; the next one looks again");
                Ok(completion)
            }
        }
    }

    async fn start_tls(&mut self, tag: &Tag) -> Result<Completion, End> {
        if !self.session.transport.can_start_tls {
            return Ok(Completion::bad("TLS is not available here"));
        }
        Completion::done()
            .saying("Begin TLS negotiation now")
            .write(&mut Writer::new(self.wire.output()), tag);
        self.wire.flush().await?;
        Err(End::StartTls)
    }

    /// Keeps the session token fresh.
    async fn renew(&mut self) -> Result<(), End> {
        let now = self.gateway.clock.now().into();
        let retry = self.gateway.settings.renew_retry;
        let Some(login) = self.session.state.login_mut() else { return Ok(()) };
        match login.renew(now, retry).await {
            Renewal::Alive | Renewal::Expired => Ok(()),
            Renewal::Ended => {
                Err(End::Bye(Some(Code::AuthorizationFailed), "The session was ended, please log in again"))
            }
        }
    }

    fn complete(&mut self, tag: &Tag, completion: &Completion) -> Result<(), End> {
        completion.write(&mut Writer::new(self.wire.output()), tag);
        if completion.condition == Condition::Bad { self.count_bad() } else { Ok(()) }
    }

    fn bad(&mut self, tag: Option<&Tag>, text: &'static str) -> Result<(), End> {
        let mut writer = Writer::new(self.wire.output());
        match tag {
            Some(tag) => writer.tagged(tag, Condition::Bad, None, text),
            None => writer.untagged(Condition::Bad, None, text),
        }
        self.count_bad()
    }

    fn count_bad(&mut self) -> Result<(), End> {
        self.bad_commands += 1;
        if self.bad_commands > self.gateway.settings.max_bad_commands {
            return Err(End::Bye(Some(Code::ClientBug), "Too many bad commands"));
        }
        Ok(())
    }

    /// Wider limits once somebody is logged in.
    fn logged_in(&mut self, login: crate::login::Login) -> Completion {
        self.session.state = State::Authenticated(Box::new(login));
        self.wire.set_limits(Limits::default());
        Completion::logged_in(capability::list(true, self.session.transport))
    }
}

/// What may be told after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The selection itself changed.
    Nothing,
    /// The client asks for news.
    Poll,
    /// News, if there are any.
    Tell,
    /// News, but no EXPUNGE (RFC 3501 7.4.1).
    Hold,
}

impl After {
    fn of(command: &CommandBody) -> Self {
        match command {
            CommandBody::Noop | CommandBody::Check => Self::Poll,
            CommandBody::Select(_) | CommandBody::Close | CommandBody::Unselect => Self::Nothing,
            CommandBody::Fetch(_) | CommandBody::Store(_) | CommandBody::Search { .. } => Self::Hold,
            _ => Self::Tell,
        }
    }
}

#[cfg(test)]
mod tests;
