//! How every process starts, runs and ends.
//!
//! Start: settings, logs, health port, [`Service::start`]. End (SIGTERM, SIGINT): not ready, still accepting
//! for `process.drain.accept`, [`Service::drain`] within `process.drain.budget`, hard stop. A second signal
//! stops at once.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::metrics::Meter;
use serde::Deserialize;

mod command_line;
mod running;

pub use command_line::run;
pub use running::Running;

use crate::clock::{Clock, System};
use crate::config::Settings;
use crate::health::{Health, HealthConfig};
use crate::telemetry::{Metrics, TelemetryConfig};

/// One process of the platform.
#[async_trait]
pub trait Service: Send + Sized + 'static {
    /// The name of process, log lines and traces, e.g. `mailstore`.
    const NAME: &'static str;
    /// All of its settings.
    type Config: Settings;

    /// Binds its listeners, starts its background work and returns.
    async fn start(config: Self::Config, context: Context) -> anyhow::Result<Self>;

    /// What was bound, by listener name (port 0 is allowed in settings).
    fn endpoints(&self) -> Vec<(String, SocketAddr)>;

    /// Finishes what is in flight, says goodbye to peers and stops; returns early when all is done.
    async fn drain(self, budget: Duration);
}

/// The settings that every process has, as its section `[process]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessConfig {
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// The port of probes and metrics.
    pub health: HealthConfig,
    /// The way out.
    pub drain: DrainConfig,
}

/// The time a process has to end well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrainConfig {
    /// Not ready but still accepting, until load balancers have noticed; default 5 s.
    #[serde(with = "humantime_serde")]
    pub accept: Duration,
    /// For the service to finish what is in flight; default 45 s (with `accept` below Kubernetes' usual 60 s
    /// grace period). What is left then is cut.
    #[serde(with = "humantime_serde")]
    pub budget: Duration,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self { accept: Duration::from_secs(5), budget: Duration::from_secs(45) }
    }
}

/// What a service gets from its process: handed in, never global. Clones share everything.
#[derive(Clone)]
pub struct Context {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Instruments made from it appear on `/metrics` of this context.
    pub meter: Meter,
    /// Readiness.
    pub health: Health,
    metrics: Arc<Metrics>,
}

impl Context {
    /// A context of its own for `service`, on the machine's clock.
    pub fn new(service: &str) -> Self {
        Self::with_clock(service, Arc::new(System))
    }

    /// As [`Self::new`] on another clock.
    pub fn with_clock(service: &str, clock: Arc<dyn Clock>) -> Self {
        let metrics = Arc::new(Metrics::new(service));
        Self { clock, meter: metrics.meter(), health: Health::new(), metrics }
    }

    /// A context for a test: system clock, registry of its own.
    pub fn for_tests() -> Self {
        Self::new("test")
    }

    /// All metrics of this context in the Prometheus text format.
    pub fn metrics_text(&self) -> String {
        self.metrics.text()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Context").field("clock", &self.clock).field("health", &self.health).finish()
    }
}
