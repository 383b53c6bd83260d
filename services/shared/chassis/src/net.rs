//! Sockets: listeners with limits and PROXY protocol, connections that can turn to TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

mod connection;
mod limits;
mod listener;
mod proxy_protocol;

pub use connection::{Connection, TlsInfo};
pub use listener::{Listener, Peer};

/// Idle time before the first keepalive probe; below the idle limits of common load balancers.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// One listening port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether connections start with a PROXY protocol header; default `off`.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
    /// Who may send that header, e.g. `["10.0.0.0/8"]`; others are refused. Needed when it is required.
    #[serde(default)]
    pub trusted_cidrs: Vec<IpNet>,
    /// The header must be complete within this time; default 5 s.
    #[serde(with = "humantime_serde", default = "ListenerConfig::default_header_timeout")]
    pub header_timeout: Duration,
    /// Connections at once; more are refused. Default 10,000: a few GiB of session memory at most.
    #[serde(default = "ListenerConfig::default_max_connections")]
    pub max_connections: usize,
    /// Connections at once from one client address (an IPv6 /64 counts as one); default 100.
    #[serde(default = "ListenerConfig::default_max_connections_per_address")]
    pub max_connections_per_address: usize,
}

impl ListenerConfig {
    /// The defaults on `address`.
    pub fn on(address: SocketAddr) -> Self {
        Self {
            address,
            proxy_protocol: ProxyProtocol::Off,
            trusted_cidrs: Vec::new(),
            header_timeout: Self::default_header_timeout(),
            max_connections: Self::default_max_connections(),
            max_connections_per_address: Self::default_max_connections_per_address(),
        }
    }

    fn default_header_timeout() -> Duration {
        Duration::from_secs(5)
    }

    fn default_max_connections() -> usize {
        10_000
    }

    fn default_max_connections_per_address() -> usize {
        100
    }
}

/// The PROXY protocol (v1 and v2) on a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// Connections start with the protocol itself.
    #[default]
    Off,
    /// Connections start with a header from a trusted peer; others are closed without a word.
    Required,
}

/// Binds and listens; accepted sockets are prepared by [`prepare`].
pub(crate) fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// No delay for small answers, keepalive against peers that vanished.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
