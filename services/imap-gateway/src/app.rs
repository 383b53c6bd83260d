//! Wiring: adapters to ports, listeners to roles, in the order of dependency.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::Channel;
use staffetta_chassis::net::Listener;
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::spool::SpoolBudget;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::TlsServer;
use staffetta_directory_api::Authentication;
use staffetta_directory_api::grpc::client::DirectoryClient;
use staffetta_mailstore_api::Shards;
use staffetta_mailstore_api::grpc::client::connect_shards;

use crate::command::Gateway;
use crate::config::{Config, PlaintextAuth, Role};
use crate::connection::Acceptor;
use crate::login::{Sessions, Shard};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::watch::Hub;

/// What a client beyond the connection limits is told.
const TOO_MANY: &str = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";

/// The part of the drain budget over which goodbyes may be spread; the rest is for busy commands.
const SPREAD: f64 = 0.8;

/// A running gateway.
#[derive(Debug)]
pub struct ImapGateway {
    drain: Drain,
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

impl ImapGateway {
    /// Starts over ports that are wired already.
    ///
    /// # Errors
    /// A listener cannot be bound, certificates cannot be read.
    pub fn start_with(config: &Config, ports: Ports, context: &Context) -> anyhow::Result<Self> {
        let drain = Drain::new();
        let (sessions, background) = (Tasks::new(), Tasks::new());
        let tls = match &config.tls {
            Some(tls) => Some(TlsServer::load(tls, context, &background).context("tls")?),
            None => None,
        };
        let mut shards = HashMap::new();
        for name in ports.shards.names() {
            let store = ports.shards.shard(&name)?;
            let hub = Hub::start(Arc::clone(&store), Arc::clone(&context.clock), &background);
            shards.insert(name, Shard { store, hub });
        }
        let budget = config.process.drain.budget.mul_f64(SPREAD);
        let gateway = Arc::new(Gateway {
            directory: ports.authentication,
            shards,
            sessions: Arc::new(Sessions::default()),
            clock: Arc::clone(&context.clock),
            settings: Settings {
                goodbye_spread: config.sessions.goodbye_spread.min(budget),
                ..config.sessions.clone()
            },
            metrics: Metrics::new(&context.meter),
        });
        let spool = SpoolBudget::new(&config.spool);
        // All are bound before any is served: a port that is taken stops the start, not half of it.
        let mut bound = Vec::new();
        for listener in &config.listeners {
            bound.push((listener, Listener::bind(listener.name(), &listener.listen, context)?));
        }
        let endpoints =
            bound.iter().map(|(of, listener)| (of.name().to_owned(), listener.address())).collect();
        for (of, listener) in bound {
            let implicit_tls = of.role == Role::Imaps;
            let listener = if implicit_tls { listener } else { listener.with_refusal(TOO_MANY) };
            let acceptor = Acceptor {
                gateway: Arc::clone(&gateway),
                tls: tls.clone(),
                implicit_tls,
                plaintext_on_loopback: config.auth.plaintext == PlaintextAuth::Loopback,
                spool: spool.clone(),
                draining: drain.watch(),
            };
            let serving = listener.serve(sessions.clone(), drain.watch(), move |connection, peer| {
                acceptor.clone().serve(connection, peer)
            });
            sessions.spawn(serving);
        }
        Ok(Self { drain, sessions, background, endpoints })
    }
}

#[async_trait]
impl Service for ImapGateway {
    const NAME: &'static str = "imap-gateway";
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

    /// Ports close; every session hears `* BYE`, spread over the budget, a busy one after its command.
    async fn drain(self, budget: Duration) {
        self.drain.start();
        if !self.sessions.finish(budget).await {
            tracing::warn!("some sessions were cut: the drain budget is spent");
        }
        self.background.stop().await;
    }
}
