//! Drives one session on one transport: reads lines, runs commands, writes responses in batches, keeps time.
//!
//! Commands that are already there are answered together (PIPELINING, RFC 2449 6.6): nothing is written before the input
//! is used up or a batch is full.

mod transport;
mod wires;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use staffetta_chassis::drain::Draining;
use zeroize::Zeroize;

pub use transport::{Socket, Transport};

use self::wires::{SendError, Wires};
use crate::account::Standing;
use crate::command::{self, Outcome, Response, Stage, Tally, Then, Turn};
use crate::config::Role;
use crate::services::Services;
use crate::session::{Authorization, Channel, Incoming};
use crate::wire::{Code, Command, Reply};

/// Giving the lease back after a lost connection takes at most this long; else it expires by itself.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// What a connection is, beside its octets.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The client.
    pub client: SocketAddr,
    /// The listener's role.
    pub role: Role,
    /// A password may travel without TLS.
    pub trusted: bool,
}

/// The two signals of a drain.
#[derive(Debug, Clone)]
pub struct Signals {
    /// From now on the next command is answered `-ERR [SYS/TEMP]`.
    pub draining: Draining,
    /// From now on nobody is waited for.
    pub closing: Draining,
}

/// Runs a session until it ends. `transport` has done its handshake if the role asks for it.
pub async fn serve<T: Transport>(transport: T, origin: Origin, services: Arc<Services>, signals: Signals) {
    let started = services.clock.instant();
    let channel = Channel {
        secure: transport.is_secure(),
        offers_tls: transport.offers_tls(),
        trusted: origin.trusted,
    };
    let wires = Wires::new(transport, Arc::clone(&services.clock), services.timeouts.write);
    let mut driver =
        Driver { services: &services, origin, signals, started, errors: 0, tally: Tally::default() };
    let (stage, end) = driver.drive(wires, Stage::Authorization(Authorization::new(channel))).await;
    driver.give_back(stage).await;
    driver.report(end);
}

/// How a session ended: the label in metrics and the word in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Quit,
    Disconnected,
    Idle,
    Draining,
    Errors,
    LineTooLong,
    LoginFailures,
    TlsFailed,
    LeaseLost,
    LoginEnded,
    MessageBrokeOff,
}

struct Driver<'a> {
    services: &'a Arc<Services>,
    origin: Origin,
    signals: Signals,
    started: Instant,
    errors: u32,
    tally: Tally,
}

impl Driver<'_> {
    /// Until the session ends. Returns the stage if it still holds something.
    async fn drive<T: Transport>(&mut self, mut wires: Wires<T>, stage: Stage) -> (Option<Stage>, End) {
        Reply::ok("Staffetta POP3 ready").encode(wires.output());
        let mut stage = stage;
        let end = loop {
            let mut line = match self.next_line(&mut wires, &stage).await {
                Ok(line) => line,
                Err(end) => break end,
            };
            let incoming = self.receive(&stage, &line);
            line.zeroize();
            let incoming = match incoming {
                Ok(incoming) => incoming,
                Err((reply, end)) => {
                    reply.encode(wires.output());
                    match end {
                        Some(end) => break end,
                        None => continue,
                    }
                }
            };
            let quit = matches!(incoming, Incoming::Command(Command::Quit));
            let client = self.origin.client.ip();
            let mut turn = Turn { services: self.services, client, tally: &mut self.tally };
            let Outcome { stage: next, response, then } = command::run(stage, incoming, &mut turn).await;
            if let Err(end) = self.respond(&mut wires, response).await {
                return (next, end);
            }
            let Some(next) = next else {
                self.farewell(&mut wires).await;
                return (None, if quit { End::Quit } else { End::LoginFailures });
            };
            stage = next;
            if then == Then::StartTls {
                (wires, stage) = match secure(wires, stage).await {
                    Ok(secured) => secured,
                    Err(stage) => return (Some(stage), End::TlsFailed),
                };
            }
        };
        self.farewell(&mut wires).await;
        (Some(stage), end)
    }

    /// The next line, after everything collected so far was sent.
    async fn next_line<T: Transport>(&self, wires: &mut Wires<T>, stage: &Stage) -> Result<BytesMut, End> {
        let limits = &self.services.limits;
        let limit = if stage.awaits_response() { limits.auth_line } else { limits.command_line };
        let deadline = match stage {
            Stage::Authorization(_) => self.started + self.services.timeouts.login,
            Stage::Transaction(..) => self.services.clock.instant() + self.services.timeouts.idle,
        };
        loop {
            match wires.buffered_line(limit) {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(_) => {
                    Reply::err("line too long").encode(wires.output());
                    return Err(End::LineTooLong);
                }
            }
            wires.flush().await.map_err(|_| End::Disconnected)?;
            let left = deadline.saturating_duration_since(self.services.clock.instant());
            let read = tokio::select! {
                biased;
                () = self.signals.closing.draining() => return Err(End::Draining),
                read = wires.fill() => read,
                () = self.services.clock.sleep(left) => return Err(End::Idle),
            };
            if !read.unwrap_or(false) {
                return Err(End::Disconnected);
            }
        }
    }

    /// Reads a line and refuses what must not be run any more.
    fn receive(&mut self, stage: &Stage, line: &[u8]) -> Result<Incoming, (Reply, Option<End>)> {
        let incoming = stage.receive(line).map_err(|error| {
            self.errors += 1;
            let end = (self.errors >= self.services.limits.errors).then_some(End::Errors);
            (Reply::err(error.to_string()), end)
        })?;
        // QUIT is the quickest way out; it removes what was marked, or says that it could not.
        if matches!(incoming, Incoming::Command(Command::Quit)) {
            return Ok(incoming);
        }
        let last = |text: &'static str, end| Err((Reply::coded(Code::SysTemp, text), Some(end)));
        if self.signals.draining.is_draining() {
            return last("server is going down, connect again", End::Draining);
        }
        let Stage::Transaction(_, account) = stage else { return Ok(incoming) };
        match account.standing() {
            Standing::Good => Ok(incoming),
            Standing::LeaseLost => {
                last("the lock of the maildrop was lost, no messages removed", End::LeaseLost)
            }
            Standing::Ended => last("the login has ended, no messages removed", End::LoginEnded),
        }
    }

    async fn respond<T: Transport>(&mut self, wires: &mut Wires<T>, response: Response) -> Result<(), End> {
        match response {
            Response::Reply(reply) => reply.encode(wires.output()),
            Response::Challenge(challenge) => {
                wires.output().extend_from_slice(format!("+ {challenge}\r\n").as_bytes());
            }
            Response::Lines(status, lines) => {
                status.encode(wires.output());
                wires.output().unsplit(lines);
            }
            Response::Message(status, message) => {
                status.encode(wires.output());
                match wires.send(message).await {
                    Ok(octets) => self.tally.octets += octets,
                    Err(SendError::Io(_)) => return Err(End::Disconnected),
                    Err(SendError::Storage(error)) => {
                        tracing::warn!(%error, client = %self.origin.client, "message broke off");
                        return Err(End::MessageBrokeOff);
                    }
                }
            }
        }
        wires.flush_batch().await.map_err(|_| End::Disconnected)
    }

    /// Sends what is left and closes.
    async fn farewell<T: Transport>(&self, wires: &mut Wires<T>) {
        if wires.flush().await.is_ok() {
            wires.shutdown().await;
        }
    }

    /// Without QUIT nothing is removed, but the next login shall not wait for the lease to expire.
    async fn give_back(&self, stage: Option<Stage>) {
        let Some(Stage::Transaction(_, account)) = stage else { return };
        let closing = account.close();
        if staffetta_chassis::clock::timeout(&*self.services.clock, RELEASE_LIMIT, closing).await.is_err() {
            tracing::debug!("lease not given back in time, it expires by itself");
        }
    }

    fn report(&self, end: End) {
        let elapsed = self.services.clock.instant().saturating_duration_since(self.started);
        self.services.metrics.session(self.origin.role, end.name(), elapsed, &self.tally);
        tracing::info!(
            client = %self.origin.client,
            listener = self.origin.role.name(),
            login = self.tally.login.as_deref().unwrap_or("-"),
            login_failures = self.tally.failures,
            messages = self.tally.messages,
            retrieved = self.tally.retrieved,
            previewed = self.tally.previewed,
            deleted = self.tally.deleted,
            octets = self.tally.octets,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            result = end.name(),
            "session"
        );
    }
}

/// The handshake after STLS.
async fn secure<T: Transport>(wires: Wires<T>, stage: Stage) -> Result<(Wires<T>, Stage), Stage> {
    let Stage::Authorization(state) = stage else { return Err(stage) };
    match wires.start_tls().await {
        Ok(wires) => Ok((wires, Stage::Authorization(state.secured()))),
        Err(error) => {
            tracing::debug!(%error, "handshake failed");
            Err(Stage::Authorization(state))
        }
    }
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Disconnected => "disconnected",
            Self::Idle => "idle",
            Self::Draining => "draining",
            Self::Errors => "too_many_errors",
            Self::LineTooLong => "line_too_long",
            Self::LoginFailures => "login_failures",
            Self::TlsFailed => "tls_failed",
            Self::LeaseLost => "lease_lost",
            Self::LoginEnded => "login_ended",
            Self::MessageBrokeOff => "message_broke_off",
        }
    }
}
