//! `/livez`, `/readyz` and `/metrics` on a port of their own.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::net;
use crate::process::Context;
use crate::tasks::Tasks;

/// Scrapers and probes are few; more connections at once than this are closed.
const MAX_CONNECTIONS: usize = 64;
/// A probe that sends no request for this long is cut.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Where health and metrics are served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// The address; default `0.0.0.0:8080`, apart from all traffic.
    pub address: SocketAddr,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)) }
    }
}

/// The running endpoint; it stops when dropped.
#[derive(Debug)]
pub struct HealthServer {
    address: SocketAddr,
    tasks: Tasks,
}

impl HealthServer {
    /// Binds and serves in the background.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(config: &HealthConfig, context: &Context) -> io::Result<Self> {
        let listener = net::listen(config.address, 128)?;
        let address = listener.local_addr()?;
        let tasks = Tasks::new();
        let (accepting, context) = (tasks.clone(), context.clone());
        tasks.spawn(async move {
            let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
                let context = context.clone();
                accepting.spawn(async move {
                    serve(stream, context).await;
                    drop(slot);
                });
            }
        });
        Ok(Self { address, tasks })
    }

    /// What was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops at once.
    pub async fn stop(self) {
        self.tasks.stop().await;
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn serve(stream: TcpStream, context: Context) {
    let service = service_fn(move |request| {
        let response = answer(&request, &context);
        async move { Ok::<_, Infallible>(response) }
    });
    // A probe that goes away mid-request is nobody's concern.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(request: &Request<Incoming>, context: &Context) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".into());
    }
    match request.uri().path() {
        "/livez" => reply(StatusCode::OK, "text/plain", "ok\n".into()),
        "/readyz" => {
            let readiness = context.health.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let body = serde_json::to_string(&readiness).unwrap_or_default();
            reply(status, "application/json", body)
        }
        "/metrics" => reply(StatusCode::OK, "text/plain; version=0.0.4", context.metrics_text()),
        _ => reply(StatusCode::NOT_FOUND, "text/plain", "try /livez, /readyz or /metrics\n".into()),
    }
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_are_answered() {
        let context = Context::for_tests();
        context.meter.u64_counter("things").build().add(3, &[]);
        let config = HealthConfig { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let server = HealthServer::start(&config, &context).unwrap();
        let address = server.address();

        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        context.health.started();
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("things_total 3"), "{metrics}");
        assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
        server.stop().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
