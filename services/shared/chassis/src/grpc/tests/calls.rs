use std::time::Duration;

use http::Request as HttpRequest;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::say::{Server, client_config, connect, say, serve, stream};
use crate::grpc::{CallTimeout, TransportError, WireError, from_status, into_status};

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum StoreError {
    #[error("over quota: {accounts:?}")]
    OverQuota { accounts: Vec<String> },
    #[error("unavailable")]
    Unavailable,
    #[error("internal: {0}")]
    Internal(String),
}

impl WireError for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::OverQuota { .. } => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    fn from_transport(error: TransportError) -> Self {
        if error.is_temporary() { Self::Unavailable } else { Self::Internal(error.to_string()) }
    }
}

fn over_quota() -> StoreError {
    let accounts = (0..1000).map(|n| format!("konto-ä-{n}@example.org")).collect();
    StoreError::OverQuota { accounts }
}

#[tokio::test]
async fn a_typed_error_is_the_same_at_the_caller() {
    let server = serve(|request| async move {
        match request.into_inner().as_str() {
            "typed" => Err(into_status(over_quota())),
            _ => Err(Status::unavailable("going down")),
        }
    })
    .await;
    let channel = connect(&client_config(server.address));
    let status = say(&channel, "typed".to_owned()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(from_status::<StoreError>(status), over_quota());
    let status = say(&channel, "bare".to_owned()).await.unwrap_err();
    assert_eq!(from_status::<StoreError>(status), StoreError::Unavailable);
    let metrics = server.context.metrics_text();
    let counted = "grpc_server_calls_total{code=\"ResourceExhausted\",method=\"Say\",service=\"test.Say\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

/// A server that never answers `hang`, and tells when such a call was dropped.
async fn hanging() -> (Server, mpsc::UnboundedReceiver<&'static str>) {
    struct Tell(mpsc::UnboundedSender<&'static str>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = serve(move |request| {
        let tell = Tell(sender.clone());
        async move {
            if request.get_ref() == "hang" {
                std::future::pending::<()>().await;
            }
            drop(tell);
            Ok(request.metadata().get("grpc-timeout").map_or("none", |it| it.to_str().unwrap()).to_owned())
        }
    })
    .await;
    (server, receiver)
}

#[tokio::test]
async fn every_call_has_a_deadline_and_its_handler_is_dropped_there() {
    let (server, mut dropped) = hanging().await;
    let mut config = client_config(server.address);
    config.timeout = Duration::from_millis(100);
    let channel = connect(&config);
    let status = say(&channel, "hang".to_owned()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(dropped.recv().await, Some("dropped"));

    assert_eq!(say(&channel, String::new()).await.unwrap(), "100000u");
    let mut own = Request::new(String::new());
    own.set_timeout(Duration::from_secs(7));
    assert_eq!(say(&channel, own).await.unwrap(), "7000000u");
    let mut endless = Request::new(String::new());
    endless.extensions_mut().insert(CallTimeout(None));
    assert_eq!(say(&channel, endless).await.unwrap(), "none");
}

#[tokio::test]
async fn the_deadline_covers_a_stream_to_its_end() {
    let (server, _dropped) = hanging().await;
    let channel = connect(&client_config(server.address));
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(CallTimeout(Some(Duration::from_millis(200))));
    let mut lines = stream(&channel, request).await.unwrap();
    assert!(lines.message().await.unwrap().is_some());
    assert_eq!(lines.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_server_keeps_the_deadline_of_a_client_that_does_not() {
    let (server, _dropped) = hanging().await;
    let socket = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    let message = b"\0\0\0\0\x06\x0a\x04hang";
    let request = HttpRequest::post(format!("http://{}/test.Say/Say", server.address))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "50m")
        .body(Body::new(http_body_util::Full::from(message.as_slice())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "4");
}

#[tokio::test]
async fn the_trace_goes_on_at_the_server() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _installed = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let trace_id = || Span::current().context().span().span_context().trace_id().to_string();
    let server = serve(move |_| {
        let seen = trace_id();
        async move { Ok(seen) }
    })
    .await;
    let channel = connect(&client_config(server.address));
    let (sent, seen) = async { (trace_id(), say(&channel, String::new()).await.unwrap()) }
        .instrument(tracing::info_span!("test"))
        .await;
    assert_eq!(sent, seen);
    assert_ne!(sent, "00000000000000000000000000000000");
}

#[tokio::test]
async fn health_is_served_until_the_drain() {
    let server = serve(|_| async { Ok(String::new()) }).await;
    let channel = connect(&client_config(server.address));
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
}
