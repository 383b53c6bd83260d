//! One HTTP/2 connection of the server, from handshake to the last call.

use std::pin::pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::GrpcServerConfig;
use super::handle::Handler;
use crate::drain::Draining;
use crate::grpc::{CONNECTION_WINDOW, MAX_HEADERS, STREAM_WINDOW, identity};
use crate::net::{Connection, Peer};
use crate::tasks::Tasks;
use crate::tls::TlsServer;

/// What all connections of one server share.
#[derive(Clone)]
pub(super) struct Connections {
    config: Arc<GrpcServerConfig>,
    tls: Option<TlsServer>,
    handler: Handler,
    tasks: Tasks,
    draining: Draining,
}

impl Connections {
    pub(super) fn new(
        config: Arc<GrpcServerConfig>,
        tls: Option<TlsServer>,
        handler: Handler,
        tasks: Tasks,
        draining: Draining,
    ) -> Self {
        Self { config, tls, handler, tasks, draining }
    }

    /// Serves until the peer goes, the connection is too old, or the drain ends its last call.
    pub(super) async fn serve(self, connection: Connection, peer: Peer) {
        let connection = match &self.tls {
            None => connection,
            Some(tls) => match connection.start_tls(tls).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!(client = %peer.client, %error, "TLS handshake failed");
                    return;
                }
            },
        };
        let certified = connection
            .tls_info()
            .and_then(|tls| identity::certified(tls.peer_certificates.first()?.as_ref()));
        let handler = self.handler.for_connection(certified);
        let service = service_fn(move |request: Request<Incoming>| handler.clone().handle(request));
        let serving = self.builder().serve_connection(TokioIo::new(connection), service);
        let mut serving = pin!(serving);
        let result = tokio::select! {
            result = &mut serving => result,
            () = self.retirement() => {
                serving.as_mut().graceful_shutdown();
                let grace = self.config.max_connection_age_grace;
                tokio::time::timeout(grace, serving).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = result {
            tracing::debug!(client = %peer.client, %error, "connection ended");
        }
    }

    /// The moment from which a connection takes no new calls.
    async fn retirement(&self) {
        tokio::select! {
            () = self.draining.draining() => {}
            () = tokio::time::sleep(self.config.age()) => {}
        }
    }

    fn builder(&self) -> http2::Builder<TaskExecutor> {
        let mut builder = http2::Builder::new(TaskExecutor(self.tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(self.config.max_concurrent_streams)
            .max_header_list_size(MAX_HEADERS)
            .keep_alive_interval(self.config.keepalive_interval)
            .keep_alive_timeout(self.config.keepalive_timeout);
        builder
    }
}

/// Calls are tasks of the service like all others, so that a hard stop ends them.
#[derive(Clone)]
struct TaskExecutor(Tasks);

impl<F> hyper::rt::Executor<F> for TaskExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.0.spawn(async move {
            future.await;
        });
    }
}
