//! Wiring: adapters to ports, listeners to roles, in the order of dependency.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::Channel;
use staffetta_chassis::net::{Connection, Listener, Peer};
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::TlsServer;
use staffetta_directory_api::Authentication;
use staffetta_directory_api::grpc::client::DirectoryClient;
use staffetta_mailstore_api::Shards;
use staffetta_mailstore_api::grpc::client::connect_shards;

use crate::config::{Config, PlaintextAuth, Role};
use crate::connection::{self, Origin, Signals, Socket};
use crate::metrics::Metrics;
use crate::services::{Services, Sessions};

/// What a client beyond the connection limits is told.
const TOO_MANY: &str = "-ERR [SYS/TEMP] too many connections, try again later\r\n";
/// The part of the drain budget in which idle clients are still waited for.
const PATIENCE: f64 = 0.75;

/// A running gateway.
#[derive(Debug)]
pub struct Pop3Gateway {
    drain: Drain,
    closing: Drain,
    sessions: Tasks,
    background: Tasks,
    endpoints: Vec<(String, SocketAddr)>,
}

/// Everything the gateway calls.
#[derive(Clone)]
pub struct Ports {
    /// Checks passwords.
    pub authentication: Arc<dyn Authentication>,
    /// The mailstore of each shard.
    pub shards: Arc<dyn Shards>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("shards", &self.shards.names()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Service for Pop3Gateway {
    const NAME: &'static str = "pop3-gateway";
    type Config = Config;

    async fn start(config: Config, context: Context) -> anyhow::Result<Self> {
        let directory = Channel::connect(&config.directory, Self::NAME, &context).context("directory")?;
        let shards = connect_shards(&config.shards, Self::NAME, &context).context("shards")?;
        let ports =
            Ports { authentication: Arc::new(DirectoryClient::new(directory)), shards: Arc::new(shards) };
        Self::start_with(&config, ports, &context)
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        self.endpoints.clone()
    }

    /// Ports close; clients hear `-ERR [SYS/TEMP]` at their next command, idle ones are closed before the budget is
    /// spent, so that their leases are given back. Then what the sessions left to do in the background is done.
    async fn drain(self, budget: Duration) {
        self.drain.start();
        let finishing = self.sessions.finish(budget);
        tokio::pin!(finishing);
        let by_themselves = tokio::select! {
            finished = &mut finishing => finished,
            () = tokio::time::sleep(budget.mul_f64(PATIENCE)) => {
                self.closing.start();
                finishing.await
            }
        };
        if !by_themselves {
            tracing::warn!("some sessions were cut: the drain budget is spent");
        }
        self.background.finish(Duration::from_secs(1)).await;
    }
}

impl Pop3Gateway {
    /// Starts over ports that are wired already: several services in one process, and tests.
    ///
    /// # Errors
    /// A listener cannot be bound, certificates cannot be read.
    pub fn start_with(config: &Config, ports: Ports, context: &Context) -> anyhow::Result<Self> {
        let (drain, closing) = (Drain::new(), Drain::new());
        let (sessions, background) = (Tasks::new(), Tasks::new());
        let tls = match &config.tls {
            Some(tls) => Some(TlsServer::load(tls, context, &background).context("tls")?),
            None => None,
        };
        let services = Arc::new(Services {
            authentication: ports.authentication,
            shards: ports.shards,
            clock: Arc::clone(&context.clock),
            limits: config.limits.clone(),
            timeouts: config.timeouts.clone(),
            metrics: Metrics::new(&context.meter),
            tasks: background.clone(),
            sessions: Arc::new(Sessions::default()),
        });
        let mut endpoints = Vec::new();
        // All are bound before any is served: a port that is taken stops the start, not half of it.
        let mut bound = Vec::new();
        for listener in &config.listeners {
            let socket = Listener::bind(listener.name(), &listener.listen, context)?;
            endpoints.push((listener.name().to_owned(), socket.address()));
            bound.push((listener.role, socket));
        }
        for (role, listener) in bound {
            let listener = if role == Role::Pop3s { listener } else { listener.with_refusal(TOO_MANY) };
            let acceptor = Acceptor {
                role,
                plaintext: config.auth.plaintext,
                tls: tls.clone(),
                services: Arc::clone(&services),
                signals: Signals { draining: drain.watch(), closing: closing.watch() },
            };
            let serving = listener.serve(sessions.clone(), drain.watch(), move |connection, peer| {
                acceptor.clone().accept(connection, peer)
            });
            sessions.spawn(serving);
        }
        Ok(Self { drain, closing, sessions, background, endpoints })
    }
}

/// Turns accepted connections into sessions.
#[derive(Clone)]
struct Acceptor {
    role: Role,
    plaintext: PlaintextAuth,
    tls: Option<TlsServer>,
    services: Arc<Services>,
    signals: Signals,
}

impl Acceptor {
    async fn accept(self, connection: Connection, peer: Peer) {
        let connection = match (self.role, &self.tls) {
            (Role::Pop3s, Some(tls)) => match connection.start_tls(tls).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!(client = %peer.client, %error, "handshake failed");
                    return;
                }
            },
            (Role::Pop3s, None) => return,
            (Role::Pop3, _) => connection,
        };
        // Behind a proxy the client's address is only told; the password still crosses the network to the proxy.
        let loopback = peer.client.ip().is_loopback() && peer.socket.ip().is_loopback();
        let trusted = self.plaintext == PlaintextAuth::Loopback && loopback;
        let origin = Origin { client: peer.client, role: self.role, trusted };
        connection::serve(Socket::new(connection, self.tls), origin, self.services, self.signals).await;
    }
}
