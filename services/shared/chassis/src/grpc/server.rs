//! The server: our listener, our TLS, HTTP/2 by hyper, services by tonic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use serde::Deserialize;
use tonic::service::Routes;
use tonic_health::ServingStatus;

mod connection;
mod handle;

use self::connection::Connections;
use self::handle::Handler;
use super::identity::Authenticator;
use super::measure::CallMetrics;
use crate::config::{ConfigError, Secret};
use crate::drain::Draining;
use crate::net::{Listener, ListenerConfig};
use crate::process::Context;
use crate::tasks::Tasks;
use crate::tls::{TlsServer, TlsServerConfig};

/// One gRPC port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, and with `client_auth` the identity of callers; default none (a mesh does it, or nothing).
    #[serde(default)]
    pub tls: Option<TlsServerConfig>,
    /// The keys that prove a workload where certificates do not; two while one is replaced by the other.
    #[serde(default)]
    pub workload_keys: Vec<Secret>,
    /// Answer `grpc.reflection` (for grpcurl); default no.
    #[serde(default)]
    pub reflection: bool,
    /// Connections at once; default 1,000.
    #[serde(default = "GrpcServerConfig::default_max_connections")]
    pub max_connections: usize,
    /// Calls at once on one connection; default 1,000.
    #[serde(default = "GrpcServerConfig::default_max_concurrent_streams")]
    pub max_concurrent_streams: u32,
    /// A connection is asked to end after this time (a fifth more or less), so that load spreads to new
    /// pods; default 10 min.
    #[serde(with = "humantime_serde", default = "GrpcServerConfig::default_max_connection_age")]
    pub max_connection_age: Duration,
    /// Its calls have this long to end then; default 10 min, enough for a large body to a slow reader.
    #[serde(with = "humantime_serde", default = "GrpcServerConfig::default_max_connection_age_grace")]
    pub max_connection_age_grace: Duration,
    /// A silent connection is tested this often; default 20 s.
    #[serde(with = "humantime_serde", default = "GrpcServerConfig::default_keepalive_interval")]
    pub keepalive_interval: Duration,
    /// And closed when the test is not answered in this time; default 10 s.
    #[serde(with = "humantime_serde", default = "GrpcServerConfig::default_keepalive_timeout")]
    pub keepalive_timeout: Duration,
}

impl GrpcServerConfig {
    /// The defaults on `address` with one workload key.
    pub fn on(address: SocketAddr, workload_key: Secret) -> Self {
        Self {
            address,
            tls: None,
            workload_keys: vec![workload_key],
            reflection: false,
            max_connections: Self::default_max_connections(),
            max_concurrent_streams: Self::default_max_concurrent_streams(),
            max_connection_age: Self::default_max_connection_age(),
            max_connection_age_grace: Self::default_max_connection_age_grace(),
            keepalive_interval: Self::default_keepalive_interval(),
            keepalive_timeout: Self::default_keepalive_timeout(),
        }
    }

    fn default_max_connections() -> usize {
        1000
    }

    fn default_max_concurrent_streams() -> u32 {
        1000
    }

    fn default_max_connection_age() -> Duration {
        Duration::from_secs(600)
    }

    fn default_max_connection_age_grace() -> Duration {
        Duration::from_secs(600)
    }

    fn default_keepalive_interval() -> Duration {
        Duration::from_secs(20)
    }

    fn default_keepalive_timeout() -> Duration {
        Duration::from_secs(10)
    }

    /// The age of one connection: spread, so that connections made together do not end together.
    fn age(&self) -> Duration {
        self.max_connection_age.mul_f64(rand::rng().random_range(0.8..1.2))
    }
}

/// A bound gRPC port; [`GrpcServer::serve`] starts answering.
#[derive(Debug)]
pub struct GrpcServer {
    listener: Listener,
    tls: Option<TlsServer>,
    config: Arc<GrpcServerConfig>,
    metrics: CallMetrics,
    tasks: Tasks,
}

impl GrpcServer {
    /// Binds. `name` is the prefix of its settings and the label of its listener. Everything that it starts is one of `tasks`.
    ///
    /// # Errors
    /// The address cannot be bound, certificates cannot be used, or no caller could ever prove itself.
    pub fn bind(
        name: &str,
        config: &GrpcServerConfig,
        context: &Context,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let by_certificate = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if !by_certificate && config.workload_keys.iter().all(Secret::is_empty) {
            let problem =
                "set a key, or tls.client_auth and tls.client_ca: callers must be able to prove themselves";
            return Err(ConfigError::at(format!("{name}.workload_keys"), problem).into());
        }
        let tls =
            config.tls.as_ref().map(|tls| TlsServer::load_for(tls, &[b"h2"], context, tasks)).transpose()?;
        let limits = ListenerConfig {
            max_connections: config.max_connections,
            max_connections_per_address: config.max_connections,
            ..ListenerConfig::on(config.address)
        };
        Ok(Self {
            listener: Listener::bind(name, &limits, context)?,
            tls,
            config: Arc::new(config.clone()),
            metrics: CallMetrics::new("server", context),
            tasks: tasks.clone(),
        })
    }

    /// What was bound.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers with `routes`, `grpc.health.v1` and (if set) reflection of `descriptors`, in the background.
    ///
    /// When the drain starts, the port closes, health says not serving, and clients are told to open no new
    /// calls; calls under way go on until [`Tasks::finish`] ends them. Streams without an end must watch the
    /// drain themselves.
    ///
    /// # Errors
    /// The descriptors are not a descriptor set.
    pub async fn serve(
        self,
        routes: Routes,
        descriptors: &'static [u8],
        draining: Draining,
    ) -> anyhow::Result<()> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut routes = routes.add_service(health);
        if self.config.reflection {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .build_v1()?;
            routes = routes.add_service(reflection);
        }
        reporter.set_service_status("", ServingStatus::Serving).await;
        let drain = draining.clone();
        self.tasks.spawn(async move {
            drain.draining().await;
            reporter.set_service_status("", ServingStatus::NotServing).await;
        });

        let authenticator = Authenticator::new(&self.config.workload_keys);
        let handler = Handler::new(routes.prepare(), authenticator, self.metrics);
        let connections =
            Connections::new(self.config, self.tls, handler, self.tasks.clone(), draining.clone());
        let accepting = self.listener.serve(self.tasks.clone(), draining, move |connection, peer| {
            let connections = connections.clone();
            async move { connections.serve(connection, peer).await }
        });
        self.tasks.spawn(accepting);
        Ok(())
    }
}
