//! The client: connections to every address behind a name, each call on one that stands.
//!
//! A name is resolved again and again; every address gets one connection, made eagerly. A connection is
//! offered to calls only while it stands: it leaves the moment it breaks or the server says goodbye, and is
//! made again with backoff for as long as the name has the address.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, Uri, header};
use serde::Deserialize;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::body::Body;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

mod connect;
mod discovery;
mod lend;
mod pick;
mod target;

use self::connect::Connector;
use self::pick::{Connected, Set};
pub use self::target::{Resolve, Target};
use super::body::{self, Deadline, Side};
use super::identity::{WORKLOAD_HEADER, WORKLOAD_KEY_HEADER};
use super::measure::{CallMetrics, split};
use super::{deadline, trace};
use crate::config::{ConfigError, Secret};
use crate::process::Context;
use crate::tls::TlsClientConfig;

/// One service that is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcClientConfig {
    /// `dns://host:port` or `http://host:port` for plain connections, `https://host:port` for TLS; every
    /// address of the host is used.
    pub target: String,
    /// A call without a deadline of its own gets this one; default 30 s.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_timeout")]
    pub timeout: Duration,
    /// A connection attempt takes at most this long, its handshake included; default 2 s.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_connect_timeout")]
    pub connect_timeout: Duration,
    /// A call waits this long for any connection, then it is `UNAVAILABLE`; default 5 s, longer than a
    /// server's restart takes to show in the name.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_ready_timeout")]
    pub ready_timeout: Duration,
    /// The name is resolved this often (a fifth more or less), and at once when a connection breaks; default
    /// 5 s.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_resolve_interval")]
    pub resolve_interval: Duration,
    /// A connection is tested this often, idle or not; default 10 s.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_keepalive_interval")]
    pub keepalive_interval: Duration,
    /// And given up when the test is not answered in this time; default 5 s.
    #[serde(with = "humantime_serde", default = "GrpcClientConfig::default_keepalive_timeout")]
    pub keepalive_timeout: Duration,
    /// Trust and certificate; set: TLS also for `dns://`.
    #[serde(default)]
    pub tls: Option<TlsClientConfig>,
    /// The key that proves this workload where certificates do not.
    #[serde(default)]
    pub workload_key: Secret,
}

impl GrpcClientConfig {
    /// The defaults for `target`.
    pub fn to(target: impl Into<String>, workload_key: Secret) -> Self {
        Self {
            target: target.into(),
            timeout: Self::default_timeout(),
            connect_timeout: Self::default_connect_timeout(),
            ready_timeout: Self::default_ready_timeout(),
            resolve_interval: Self::default_resolve_interval(),
            keepalive_interval: Self::default_keepalive_interval(),
            keepalive_timeout: Self::default_keepalive_timeout(),
            tls: None,
            workload_key,
        }
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(30)
    }

    fn default_connect_timeout() -> Duration {
        Duration::from_secs(2)
    }

    fn default_ready_timeout() -> Duration {
        Duration::from_secs(5)
    }

    fn default_resolve_interval() -> Duration {
        Duration::from_secs(5)
    }

    fn default_keepalive_interval() -> Duration {
        Duration::from_secs(10)
    }

    fn default_keepalive_timeout() -> Duration {
        Duration::from_secs(5)
    }
}

/// The deadline of one call, put into the extensions of its request: another one than the setting, or none
/// for a stream without an end. Covers the answer to its last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallTimeout(pub Option<Duration>);

/// A balanced channel for tonic's generated clients; clones share its connections. It works until the last
/// clone is dropped.
#[derive(Clone)]
pub struct Channel {
    shared: Arc<Shared>,
}

struct Shared {
    set: Set,
    origin: Uri,
    workload: HeaderValue,
    key: Option<HeaderValue>,
    config: GrpcClientConfig,
    metrics: CallMetrics,
    _stop: DropGuard,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Channel").field("target", &self.shared.config.target).finish_non_exhaustive()
    }
}

impl Channel {
    /// Starts connecting in the background and returns at once; `workload` is the caller's own name. Must be
    /// called inside a runtime.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn connect(config: &GrpcClientConfig, workload: &str, context: &Context) -> anyhow::Result<Self> {
        let target = Target::parse(&config.target, config.tls.is_some())?;
        Self::connect_by(Arc::new(target.clone()), target, config, workload, context)
    }

    /// As [`Self::connect`] with addresses from `resolver` instead of the system's name service.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn connect_by(
        resolver: Arc<dyn Resolve>,
        target: Target,
        config: &GrpcClientConfig,
        workload: &str,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let header = |text: &str, key: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| ConfigError::at(key, "holds characters that cannot be sent"))
        };
        let key = config.workload_key.expose();
        let mut key = if key.is_empty() { None } else { Some(header(key, "workload_key")?) };
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        let (set, stop) = (Set::new(), CancellationToken::new());
        let origin = target.origin()?;
        let connector = Connector::new(target, config)?;
        tokio::spawn({
            let run = discovery::run(set.clone(), resolver, connector, config.resolve_interval);
            stop.clone().run_until_cancelled_owned(run)
        });
        let shared = Shared {
            set,
            origin,
            workload: header(workload, "workload")?,
            key,
            config: config.clone(),
            metrics: CallMetrics::new("client", context),
            _stop: stop.drop_guard(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Waits until there is a connection, `limit` at most; whether there is one.
    pub async fn ready(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.shared.set.pick()).await.is_ok()
    }

    /// How many connections stand.
    pub fn connections(&self) -> usize {
        self.shared.set.len()
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let span = span(request.uri().path());
        let mut call = self.shared.metrics.begin(request.uri().path(), span.clone());
        let deadline = self.shared.deadline_of(&mut request);
        let sent = match self.shared.dress(&mut request, &span) {
            Ok(()) => {
                let exchange = self.shared.exchange(request).instrument(span);
                Deadline::bound(deadline, exchange).await.flatten()
            }
            Err(status) => Err(status),
        };
        match sent {
            Ok((response, connected)) => Ok(body::watch(response, Side::Client, deadline, call, connected)),
            Err(status) => {
                call.end(status.code());
                Err(status)
            }
        }
    }
}

impl Shared {
    /// The caller's deadline, or the setting; the server is told.
    fn deadline_of(&self, request: &mut Request<Body>) -> Option<Deadline> {
        let limit = match request.extensions_mut().remove::<CallTimeout>() {
            Some(CallTimeout(limit)) => limit,
            None => Some(deadline::read(request.headers()).unwrap_or(self.config.timeout)),
        };
        match limit {
            Some(limit) => deadline::write(request.headers_mut(), limit),
            None => {
                request.headers_mut().remove(deadline::HEADER);
            }
        }
        limit.map(Deadline::after)
    }

    /// Address, identity and trace context.
    fn dress(&self, request: &mut Request<Body>, span: &Span) -> Result<(), Status> {
        let mut uri = self.origin.clone().into_parts();
        uri.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(uri).map_err(|error| Status::internal(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(WORKLOAD_HEADER, self.workload.clone());
        if let Some(key) = &self.key {
            headers.insert(WORKLOAD_KEY_HEADER, key.clone());
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static("staffetta"));
        trace::inject(span, headers);
        Ok(())
    }

    /// Sends on a connection that stands. Only a request that never left is sent again, on another one.
    async fn exchange(&self, mut request: Request<Body>) -> Result<(Response<Body>, Connected), Status> {
        loop {
            let picked = tokio::time::timeout(self.config.ready_timeout, self.set.pick());
            let connected = picked.await.map_err(|_| self.unavailable())?;
            match connected.send(request).await {
                Ok(response) => return Ok((response, connected)),
                Err(pick::SendError::NotSent(unsent)) => {
                    self.set.remove(&connected);
                    request = *unsent;
                }
                Err(pick::SendError::Failed(status)) => return Err(status),
            }
        }
    }

    fn unavailable(&self) -> Status {
        Status::unavailable(format!("no connection to {}", self.config.target))
    }
}

impl tower::Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.clone().send(request).boxed()
    }
}

fn span(path: &str) -> Span {
    let (service, method) = split(path);
    tracing::info_span!(
        "call",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
    )
}
