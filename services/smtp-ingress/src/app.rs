//! Wiring: adapters to ports, listeners to roles, in the order of dependency.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::net::Listener;
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::spool::SpoolBudget;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::TlsServer;

use crate::config::{Config, RatesConfig, RedisConfig, Role};
use crate::connection::{self, Server};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::policy::rates::{FallbackRates, LocalRates, Rates, RedisRates};
use crate::ports::Ports;

mod adapters;

/// For charges to be given back and logins to be ended, after the last session.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What a peer beyond the connection limits is told.
const TOO_MANY: &str = "421 4.3.2 too many connections, try again later\r\n";

/// A running ingress.
pub struct SmtpIngress {
    server: Arc<Server>,
    drain: Drain,
    sessions: Tasks,
    /// What sessions leave to be done after them.
    background: Tasks,
    /// What goes on until the end.
    housekeeping: Tasks,
    endpoints: Vec<(String, SocketAddr)>,
}

#[async_trait]
impl Service for SmtpIngress {
    const NAME: &'static str = "smtp-ingress";
    type Config = Config;

    async fn start(config: Config, context: Context) -> anyhow::Result<Self> {
        let ports = adapters::connect(&config, &context)?;
        Self::start_with(config, ports, &context)
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        self.endpoints.clone()
    }

    /// Ports close; silent peers are told 421 over a while, others at their next command; messages under way are
    /// finished. Then what the sessions left to do in the background is done.
    async fn drain(self, budget: Duration) {
        // Set first: a session that sees the drain asks for it.
        let _ = self.server.drain_budget.set(budget);
        self.drain.start();
        if !self.sessions.finish(budget).await {
            tracing::warn!("some sessions were cut: the drain budget is spent");
        }
        self.background.finish(LAST_WORDS).await;
        self.housekeeping.stop().await;
    }
}

impl SmtpIngress {
    /// Starts over ports that are wired already: several services in one process, and tests.
    ///
    /// # Errors
    /// A listener cannot be bound, certificates cannot be read.
    pub fn start_with(config: Config, ports: Ports, context: &Context) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let (drain, sessions) = (Drain::new(), Tasks::new());
        let (background, housekeeping) = (Tasks::new(), Tasks::new());
        let tls = match &config.tls {
            Some(tls) => Some(TlsServer::load(tls, context, &housekeeping).context("tls")?),
            None => None,
        };
        let server = Arc::new(Server {
            policy: Policy::new(config.clone(), ports, context.clock.clone(), background.clone()),
            tls,
            spool: SpoolBudget::new(&config.spool),
            metrics: Metrics::new(&context.meter),
            draining: drain.watch(),
            drain_budget: OnceLock::new(),
            config: config.clone(),
        });
        let mut endpoints = Vec::new();
        // All are bound before any is served: a port that is taken stops the start, not half of it.
        let mut bound = Vec::new();
        for ingress in &config.listeners {
            let listener = Listener::bind(ingress.name(), &ingress.listen, context)?;
            endpoints.push((ingress.name().to_owned(), listener.address()));
            bound.push((ingress.role, listener));
        }
        for (role, listener) in bound {
            let listener = if role == Role::Submissions { listener } else { listener.with_refusal(TOO_MANY) };
            let server = Arc::clone(&server);
            let serving = listener.serve(sessions.clone(), drain.watch(), move |connection, peer| {
                connection::serve(Arc::clone(&server), role, connection, peer)
            });
            sessions.spawn(serving);
        }
        Ok(Self { server, drain, sessions, background, housekeeping, endpoints })
    }
}

/// The counter of rates: Redis with this pod in its place, or this pod alone.
///
/// # Errors
/// The Redis URL is none.
pub fn rates(
    config: &RatesConfig,
    redis: Option<&RedisConfig>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Rates>> {
    let local = Arc::new(LocalRates::new(clock.clone(), config.tracked_clients));
    let Some(redis) = redis else { return Ok(local) };
    let shared =
        RedisRates::new(redis.url.expose(), &redis.key_prefix, config.redis_timeout).context("redis.url")?;
    Ok(Arc::new(FallbackRates::new(Arc::new(shared), local, clock.clone(), config.redis_pause)))
}
