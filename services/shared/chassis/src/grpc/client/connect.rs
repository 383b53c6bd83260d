//! Making one connection.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::JoinHandle;
use tonic::body::Body;

use super::GrpcClientConfig;
use super::target::Target;
use crate::grpc::{CONNECTION_WINDOW, MAX_HEADERS, STREAM_WINDOW};
use crate::net::Connection;
use crate::tls::{TlsClient, TlsError};

/// A connection that stands: how to send, and the task that ends when it takes no more calls.
pub(super) struct Standing {
    pub(super) sender: SendRequest<Body>,
    pub(super) ended: JoinHandle<()>,
}

#[derive(Debug, Clone)]
pub(super) struct Connector {
    target: Target,
    tls: Option<TlsClient>,
    connect_timeout: Duration,
    keepalive_interval: Duration,
    keepalive_timeout: Duration,
}

impl Connector {
    pub(super) fn new(target: Target, config: &GrpcClientConfig) -> Result<Self, TlsError> {
        let tls = match (target.speaks_tls(), &config.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(TlsClient::load_for(tls, &[b"h2"])?),
            (true, None) => Some(TlsClient::load_for(&Default::default(), &[b"h2"])?),
        };
        Ok(Self {
            target,
            tls,
            connect_timeout: config.connect_timeout,
            keepalive_interval: config.keepalive_interval,
            keepalive_timeout: config.keepalive_timeout,
        })
    }

    /// Connects within the limit.
    pub(super) async fn connect(&self, address: SocketAddr) -> anyhow::Result<Standing> {
        tokio::time::timeout(self.connect_timeout, self.attempt(address)).await?
    }

    async fn attempt(&self, address: SocketAddr) -> anyhow::Result<Standing> {
        let mut connection = Connection::connect(address, None, self.connect_timeout).await?;
        if let Some(tls) = &self.tls {
            let fresh = tls.clone();
            tokio::task::spawn_blocking(move || fresh.refresh()).await?;
            connection = connection.start_tls_to(tls, self.target.host()).await?;
        }
        let (sender, serving) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADERS)
            .keep_alive_interval(self.keepalive_interval)
            .keep_alive_timeout(self.keepalive_timeout)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(connection))
            .await?;
        // Its own task: calls under way outlive the address in the name.
        let ended = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%address, %error, "connection broke");
            }
        });
        Ok(Standing { sender, ended })
    }
}
