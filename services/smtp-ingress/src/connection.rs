//! The driver of one session: the only place that touches its socket. Runs what the machine asks for and hands
//! the results back as events.
//!
//! Invariants
//! - Replies leave in the order of the commands; they are flushed when no complete line is waiting, so a
//!   pipelined group costs one write.
//! - What was received before STARTTLS is thrown away before the handshake.
//! - Between the final dot and its reply nothing ends the session but the death of the process: not a drain, not
//!   a timer, not a peer that hung up.

mod body;
mod io;
mod report;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::Rng;
use staffetta_chassis::drain::Draining;
use staffetta_chassis::net::{Connection, Peer};
use staffetta_chassis::tls::TlsServer;
use staffetta_directory_api::Session as Login;
use staffetta_mailstore_api::TransactionId;
use staffetta_smtp::command::Command;
use staffetta_smtp::reply::Reply;
use tracing::{Instrument, Span};
use uuid::{NoContext, Timestamp, Uuid};

use crate::config::{Config, PlaintextAuth, Role};
use crate::error::Refusal;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::policy::budget::Charge;
use crate::session::{Account, Credentials, Effect, Event, Facts, Session};
use io::{Io, Waited};
use staffetta_chassis::spool::SpoolBudget;

/// What all sessions of a process share.
#[derive(Debug)]
pub struct Server {
    /// All settings.
    pub config: Arc<Config>,
    /// The rules, over the ports.
    pub policy: Policy,
    /// Certificates.
    pub tls: Option<TlsServer>,
    /// Memory and disk for bodies.
    pub spool: SpoolBudget,
    /// Instruments.
    pub metrics: Metrics,
    /// Told when the process ends.
    pub draining: Draining,
    /// How long the drain may take, once it has started.
    pub drain_budget: OnceLock<Duration>,
}

impl Server {
    /// How long a silent peer is left alone once the drain has started. Goodbyes are spread (`share` is drawn by
    /// each session), so that not every client of a pod reconnects at the same instant.
    fn drain_patience(&self, share: f64) -> Duration {
        let budget = self.drain_budget.get().copied().unwrap_or(self.config.process.drain.budget);
        (budget * self.config.timeouts.drain_spread_percent.min(100) / 100).mul_f64(share)
    }
}

/// The session is over; nothing more can or need be said.
#[derive(Debug)]
pub(crate) struct Ended;

struct Driver {
    server: Arc<Server>,
    role: Role,
    peer: Peer,
    io: Io,
    session: Session,
    tls: Option<String>,
    login: Option<Login>,
    charge: Option<Charge>,
    span: Span,
}

/// Serves one connection to its end.
pub async fn serve(server: Arc<Server>, role: Role, connection: Connection, peer: Peer) {
    let connection = match (&server.tls, role) {
        (Some(tls), Role::Submissions) => match connection.start_tls(tls).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!(role = role.name(), client = %peer.client, %error, "TLS handshake failed");
                return;
            }
        },
        _ => connection,
    };
    server.metrics.session(role);
    let mut driver = Driver::new(server, role, connection, peer);
    let _ended = driver.run().await;
    if let Some(login) = driver.login.take() {
        driver.server.policy.logout(login.handle);
    }
}

impl Driver {
    fn new(server: Arc<Server>, role: Role, connection: Connection, peer: Peer) -> Self {
        let config = &server.config;
        let loopback = config.auth.plaintext == PlaintextAuth::Loopback && peer.client.ip().is_loopback();
        let session = Session::new(Facts {
            role,
            hostname: config.hostname.to_string(),
            encrypted: connection.is_tls(),
            tls_available: server.tls.is_some(),
            plaintext_auth: loopback,
            max_message_size: config.body.size,
            max_recipients: config.limits.recipients,
            max_errors: config.limits.errors,
            max_transactions: config.limits.transactions,
        });
        let tls = describe(&connection);
        let io = Io::new(connection, config.timeouts.clone());
        Self { server, role, peer, io, session, tls, login: None, charge: None, span: Span::none() }
    }

    async fn run(&mut self) -> Result<(), Ended> {
        if let Err(refusal) = self.server.policy.connect(self.peer.client.ip()).await {
            self.refused("connect", &refusal);
            return self.goodbye(&refusal.reply).await;
        }
        let mut effect = Effect::Reply(self.session.greeting());
        loop {
            let event = match effect {
                Effect::Reply(reply) => {
                    self.io.reply(&reply);
                    self.next_event().await?
                }
                Effect::Listen => self.next_event().await?,
                Effect::Close(reply) => return self.goodbye(&reply).await,
                Effect::Hangup => return Ok(()),
                Effect::StartTls(reply) => {
                    self.start_tls(&reply).await?;
                    Event::TlsStarted
                }
                Effect::Authenticate(credentials) => Event::Authenticated(self.log_in(credentials).await),
                Effect::JudgeSender(sender) => Event::SenderJudged(self.judge_sender(sender.as_ref()).await?),
                Effect::JudgeRecipient(path) => {
                    let announced = self.session.transaction().and_then(|it| it.announced_size());
                    let judging = self.server.policy.recipient(self.role, path, announced);
                    let judged = judging.instrument(self.span.clone()).await;
                    Event::RecipientJudged(self.reply_of("rcpt", judged))
                }
                Effect::OpenBody => {
                    let span = self.span.clone();
                    let charged = self.charge().instrument(span).await;
                    Event::BodyOpened(self.reply_of("data", charged))
                }
                Effect::ReceiveBody(reply) => {
                    self.io.reply(&reply);
                    Event::BodyFinished(Box::pin(self.message()).await?)
                }
            };
            effect = self.session.handle(event);
        }
    }

    /// The next line, or what came instead of one.
    async fn next_event(&mut self) -> Result<Event, Ended> {
        let limits = &self.server.config.limits;
        let in_exchange = self.session.expects_auth_line();
        let limit = if in_exchange { limits.auth_line } else { limits.command_line };
        let share = rand::rng().random_range(0.0..1.0);
        let patience = || self.server.drain_patience(share);
        let waited = self.io.line(limit, &self.server.draining, patience).await?;
        Ok(match waited {
            Waited::Line(_) if self.server.draining.is_draining() => Event::Draining,
            Waited::Line(line) if in_exchange => Event::AuthLine(line),
            Waited::Line(line) => Event::Command(Command::parse(&line)),
            Waited::BadLine(error) => Event::BadLine(error),
            Waited::TimedOut => Event::TimedOut,
            Waited::Draining => Event::Draining,
        })
    }

    async fn start_tls(&mut self, reply: &Reply) -> Result<(), Ended> {
        let server = Arc::clone(&self.server);
        let Some(tls) = &server.tls else { return Err(Ended) };
        self.io.reply(reply);
        self.io.start_tls(tls).await?;
        self.tls = describe(self.io.connection()?);
        // A login made in the clear does not count inside TLS (RFC 3207 4.2).
        if let Some(login) = self.login.take() {
            self.server.policy.logout(login.handle);
        }
        Ok(())
    }

    async fn log_in(&mut self, credentials: Credentials) -> Result<Account, Reply> {
        let name = credentials.authentication_id.clone();
        let client = self.peer.client.ip();
        match self.server.policy.login(credentials, client).await {
            Ok(login) => {
                self.server.metrics.login("ok");
                tracing::info!(role = self.role.name(), %client, account = %login.address, "logged in");
                let account = Account { id: login.account, address: login.address.clone() };
                self.login = Some(login);
                Ok(account)
            }
            Err(refusal) => {
                self.server.metrics.login(refusal.reason);
                tracing::info!(role = self.role.name(), %client, login = ?name, reason = refusal.reason, "login refused");
                Err(refusal.reply)
            }
        }
    }

    /// Draws the transaction's id; everything from here to the reply runs in its span.
    async fn judge_sender(
        &mut self,
        sender: Option<&staffetta_message::address::Address>,
    ) -> Result<Result<TransactionId, Reply>, Ended> {
        let id = self.draw_id();
        self.span = tracing::info_span!("transaction", transaction = %id, role = self.role.name());
        if let Some(login) = &mut self.login
            && let Err(refusal) = self.server.policy.renew(login).instrument(self.span.clone()).await
        {
            self.refused("mail", &refusal);
            if refusal.reply.code() == 421 {
                self.goodbye(&refusal.reply).await?;
                return Err(Ended);
            }
            return Ok(Err(refusal.reply));
        }
        let client = self.peer.client.ip();
        let judging = self.server.policy.sender(client, self.session.account(), sender);
        let judged = judging.instrument(self.span.clone()).await;
        Ok(self.reply_of("mail", judged).map(|()| id))
    }

    fn draw_id(&self) -> TransactionId {
        let now = self.server.policy.clock.now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        TransactionId(Uuid::new_v7(Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos())))
    }

    /// Sending budgets are for users; servers on the mx role have rates.
    async fn charge(&mut self) -> Result<(), Refusal> {
        let (Some(account), Some(transaction)) = (self.session.account(), self.session.transaction()) else {
            return Ok(());
        };
        self.charge = Some(self.server.policy.charge(account, transaction).await?);
        Ok(())
    }

    async fn goodbye(&mut self, reply: &Reply) -> Result<(), Ended> {
        self.io.reply(reply);
        self.io.goodbye().await
    }
}

fn describe(connection: &Connection) -> Option<String> {
    connection.tls_info().map(|tls| format!("{} {}", tls.version, tls.cipher))
}

#[cfg(test)]
mod tests;
