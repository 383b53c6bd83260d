//! A service with its health port, from start to hard stop; also for several services in one process.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

use super::{Context, DrainConfig, Service};
use crate::config::Settings;
use crate::health::HealthServer;

/// What a service may take for its hard stop once the budget is spent.
const HARD_STOP: Duration = Duration::from_secs(1);

/// A started service.
#[derive(Debug)]
pub struct Running<S> {
    service: S,
    context: Context,
    health: HealthServer,
    drain: DrainConfig,
}

impl<S: Service> Running<S> {
    /// Opens the health port (alive, not ready), starts the service, then reports it started.
    ///
    /// # Errors
    /// The health port cannot be bound, or the service does not start.
    pub async fn start(config: S::Config, context: Context) -> anyhow::Result<Self> {
        let process = config.process();
        let drain = process.drain.clone();
        let health = HealthServer::start(&process.health, &context)
            .with_context(|| format!("cannot bind the health port {}", process.health.address))?;
        let service = S::start(config, context.clone()).await?;
        context.health.started();
        Ok(Self { service, context, health, drain })
    }

    /// What was bound, by name; `health` is the port of probes and metrics.
    pub fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        let mut endpoints = self.service.endpoints();
        endpoints.push(("health".to_owned(), self.health.address()));
        endpoints
    }

    /// The context it was started with.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The whole way out: not ready, accepting a little longer, drain, hard stop.
    pub async fn stop(self) {
        self.context.health.draining();
        tracing::info!(accept = ?self.drain.accept, budget = ?self.drain.budget, "draining");
        tokio::time::sleep(self.drain.accept).await;
        let drain = self.service.drain(self.drain.budget);
        // The service stops its own tasks hard at the end of the budget; this is for one that does not.
        if tokio::time::timeout(self.drain.budget + HARD_STOP, drain).await.is_err() {
            tracing::warn!(budget = ?self.drain.budget, "drain budget spent, stopping hard");
        }
        self.health.stop().await;
    }
}
