//! Accepting connections: limits, PROXY protocol, patience when file handles run out.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, UpDownCounter};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::limits::{Limits, Slot};
use super::proxy_protocol::{self, Origin};
use super::{Connection, ListenerConfig, ProxyProtocol, listen, prepare};
use crate::backoff::Backoff;
use crate::config::ConfigError;
use crate::drain::Draining;
use crate::process::Context;
use crate::tasks::Tasks;

const BACKLOG: i32 = 1024;
/// A refused peer gets this long to take the refusal.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);
/// No file handles: wait for some to come back instead of spinning.
const EXHAUSTED: Backoff =
    Backoff { initial: Duration::from_millis(50), max: Duration::from_secs(1), factor: 2.0, jitter: 0.1 };

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client: from the PROXY header where there is one, else the socket's peer.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// The other end of the socket: the proxy, or the client itself.
    pub socket: SocketAddr,
}

/// A bound port; [`Listener::serve`] accepts on it.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    gate: Gate,
}

/// What every new connection passes.
#[derive(Debug, Clone)]
struct Gate {
    name: Arc<str>,
    config: Arc<ListenerConfig>,
    limits: Limits,
    refusal: Bytes,
    metrics: ListenerMetrics,
}

impl Listener {
    /// Binds. `name` is the `listener` label of metrics and log lines.
    ///
    /// # Errors
    /// The address cannot be bound, or the PROXY protocol is required with nobody trusted.
    pub fn bind(name: &str, config: &ListenerConfig, context: &Context) -> anyhow::Result<Self> {
        if config.proxy_protocol == ProxyProtocol::Required && config.trusted_cidrs.is_empty() {
            let problem = "must name the proxies when proxy_protocol is \"required\"";
            return Err(ConfigError::at(format!("{name}.trusted_cidrs"), problem).into());
        }
        let cannot =
            |error| anyhow::Error::new(error).context(format!("cannot listen on {}", config.address));
        let listener = listen(config.address, BACKLOG).map_err(cannot)?;
        let address = listener.local_addr()?;
        let gate = Gate {
            name: Arc::from(name),
            config: Arc::new(config.clone()),
            limits: Limits::new(config.max_connections, config.max_connections_per_address),
            refusal: Bytes::new(),
            metrics: ListenerMetrics::new(name, context),
        };
        Ok(Self { listener, address, gate })
    }

    /// What a peer beyond the limits is told before it is closed; default nothing. Not for listeners whose
    /// connections start with TLS.
    #[must_use]
    pub fn with_refusal(mut self, refusal: impl Into<Bytes>) -> Self {
        self.gate.refusal = refusal.into();
        self
    }

    /// What was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the drain starts and runs `handle` for each connection as one of `tasks`; then closes
    /// the port and returns. Connections go on: [`Tasks::finish`] waits for them.
    pub async fn serve<H, F>(self, tasks: Tasks, draining: Draining, handle: H)
    where
        H: Fn(Connection, Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let mut failures = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = draining.draining() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, socket) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.gate.accept_failed(&error, &mut failures).await;
                    continue;
                }
            };
            failures = 0;
            let (gate, handle) = (self.gate.clone(), Arc::clone(&handle));
            // Counted here, not in the task, so that a flood cannot pile up tasks beyond the limit.
            let Some(slot) = gate.limits.enter() else {
                gate.refuse(stream, socket, Refusal::TooMany, &tasks);
                continue;
            };
            let refusals = tasks.clone();
            tasks.spawn(async move {
                if let Some((stream, peer, slot)) = gate.admit(stream, socket, slot, &refusals).await {
                    let _open = gate.metrics.open();
                    handle(Connection::Plain(stream), peer).await;
                    drop(slot);
                }
            });
        }
    }
}

impl Gate {
    /// The PROXY header, then the limit by client.
    async fn admit(
        &self,
        mut stream: TcpStream,
        socket: SocketAddr,
        mut slot: Slot,
        tasks: &Tasks,
    ) -> Option<(TcpStream, Peer, Slot)> {
        let peer = match self.identify(&mut stream, socket).await {
            Ok(peer) => peer?,
            Err(error) => {
                tracing::debug!(listener = %self.name, %socket, %error, "connection refused");
                self.metrics.refused(Refusal::Header);
                return None;
            }
        };
        if !slot.claim(peer.client.ip()) {
            self.refuse(stream, peer.client, Refusal::TooManyFromAddress, tasks);
            return None;
        }
        Some((stream, peer, slot))
    }

    /// Who it is; none for a proxy that speaks for itself.
    async fn identify(&self, stream: &mut TcpStream, socket: SocketAddr) -> io::Result<Option<Peer>> {
        prepare(stream)?;
        let local = stream.local_addr()?;
        if self.config.proxy_protocol == ProxyProtocol::Off {
            return Ok(Some(Peer { client: canonical(socket), local: canonical(local), socket }));
        }
        let address = socket.ip().to_canonical();
        if !self.config.trusted_cidrs.iter().any(|trusted| trusted.contains(&address)) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a trusted proxy"));
        }
        let header = tokio::time::timeout(self.config.header_timeout, proxy_protocol::read(stream));
        match header.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            Origin::Client { client, local } => {
                Ok(Some(Peer { client: canonical(client), local: canonical(local), socket }))
            }
            // A health check of the proxy: it has what it wanted, the port is open.
            Origin::Proxy => Ok(None),
        }
    }

    fn refuse(&self, mut stream: TcpStream, client: SocketAddr, why: Refusal, tasks: &Tasks) {
        tracing::debug!(listener = %self.name, %client, reason = why.label(), "connection refused");
        self.metrics.refused(why);
        // Before the PROXY header nothing may be sent.
        let silent = why == Refusal::TooMany && self.config.proxy_protocol == ProxyProtocol::Required;
        if self.refusal.is_empty() || silent || tasks.len() > 2 * self.config.max_connections {
            return;
        }
        let refusal = self.refusal.clone();
        tasks.spawn(async move {
            let telling = async {
                stream.write_all(&refusal).await?;
                stream.shutdown().await
            };
            let _ = tokio::time::timeout(REFUSAL_LIMIT, telling).await;
        });
    }

    async fn accept_failed(&self, error: &io::Error, failures: &mut u32) {
        if !exhausted(error) {
            tracing::debug!(listener = %self.name, %error, "accept failed");
            return;
        }
        tracing::warn!(listener = %self.name, %error, "cannot accept connections, waiting");
        self.metrics.refused(Refusal::Exhausted);
        tokio::time::sleep(EXHAUSTED.delay(*failures)).await;
        *failures = failures.saturating_add(1);
    }
}

/// An IPv4 client of a dual-stack socket is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// EMFILE, ENFILE, ENOBUFS and ENOMEM (Linux numbers): every further accept would fail as well.
fn exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    TooMany,
    TooManyFromAddress,
    Header,
    Exhausted,
}

impl Refusal {
    fn label(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::TooManyFromAddress => "too_many_from_address",
            Self::Header => "proxy_header",
            Self::Exhausted => "no_file_handles",
        }
    }
}

#[derive(Debug, Clone)]
struct ListenerMetrics {
    listener: KeyValue,
    accepted: Counter<u64>,
    active: UpDownCounter<i64>,
    refused: Counter<u64>,
}

impl ListenerMetrics {
    fn new(name: &str, context: &Context) -> Self {
        let meter = &context.meter;
        Self {
            listener: KeyValue::new("listener", name.to_owned()),
            accepted: meter.u64_counter("listener_connections").build(),
            active: meter.i64_up_down_counter("listener_connections_active").build(),
            refused: meter.u64_counter("listener_refused").build(),
        }
    }

    fn refused(&self, why: Refusal) {
        self.refused.add(1, &[self.listener.clone(), KeyValue::new("reason", why.label())]);
    }

    fn open(&self) -> Open {
        self.accepted.add(1, std::slice::from_ref(&self.listener));
        self.active.add(1, std::slice::from_ref(&self.listener));
        Open(self.clone())
    }
}

/// Counts one open connection while it lives.
struct Open(ListenerMetrics);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.active.add(-1, std::slice::from_ref(&self.0.listener));
    }
}

#[cfg(test)]
mod tests;
