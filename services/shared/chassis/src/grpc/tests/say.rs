//! A service without generated code: `Say` takes and gives a string, `Stream` gives many.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::config::Secret;
use crate::drain::Drain;
use crate::grpc::client::{Resolve, Target};
use crate::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use crate::process::Context;
use crate::tasks::Tasks;

pub(super) const KEY: &str = "shared key";

pub(super) type Answer = Result<String, Status>;
type Handler = Arc<dyn Fn(Request<String>) -> BoxFuture<'static, Answer> + Send + Sync>;
pub(super) type Lines = BoxStream<'static, Answer>;

#[derive(Clone)]
struct Say {
    handler: Handler,
}

impl NamedService for Say {
    const NAME: &'static str = "test.Say";
}

impl UnaryService<String> for Say {
    type Response = String;
    type Future = BoxFuture<'static, Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answer = (self.handler)(request);
        Box::pin(async move { answer.await.map(Response::new) })
    }
}

impl ServerStreamingService<String> for Say {
    type Response = String;
    type ResponseStream = Lines;
    type Future = BoxFuture<'static, Result<Response<Lines>, Status>>;

    /// The answer once, then silence.
    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answer = (self.handler)(request);
        Box::pin(async move {
            use futures_util::stream::{self, StreamExt as _};
            let first = answer.await?;
            Ok(Response::new(stream::iter([Ok(first)]).chain(stream::pending()).boxed()))
        })
    }
}

impl tower::Service<http::Request<Body>> for Say {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(match request.uri().path() {
                "/test.Say/Say" => grpc.unary(service, request).await,
                "/test.Say/Stream" => grpc.server_streaming(service, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) context: Context,
    pub(super) tasks: Tasks,
    pub(super) drain: Drain,
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

pub(super) async fn serve<F>(handler: impl Fn(Request<String>) -> F + Send + Sync + 'static) -> Server
where
    F: Future<Output = Answer> + Send + 'static,
{
    serve_with(GrpcServerConfig::on(loopback(), Secret::new(KEY)), handler).await
}

pub(super) async fn serve_with<F>(
    config: GrpcServerConfig,
    handler: impl Fn(Request<String>) -> F + Send + Sync + 'static,
) -> Server
where
    F: Future<Output = Answer> + Send + 'static,
{
    let (context, tasks, drain) = (Context::for_tests(), Tasks::new(), Drain::new());
    let server = GrpcServer::bind("say", &config, &context, &tasks).unwrap();
    let address = server.address();
    let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
    server.serve(Routes::new(Say { handler }), &[], drain.watch()).await.unwrap();
    Server { address, context, tasks, drain }
}

pub(super) fn client_config(address: SocketAddr) -> GrpcClientConfig {
    GrpcClientConfig {
        ready_timeout: Duration::from_secs(10),
        resolve_interval: Duration::from_millis(50),
        ..GrpcClientConfig::to(format!("http://{address}"), Secret::new(KEY))
    }
}

pub(super) fn connect(config: &GrpcClientConfig) -> Channel {
    Channel::connect(config, "tester", &Context::for_tests()).unwrap()
}

pub(super) async fn say(channel: &Channel, request: impl tonic::IntoRequest<String>) -> Answer {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let path = PathAndQuery::from_static("/test.Say/Say");
    let answer = grpc.unary(request.into_request(), path, ProstCodec::<String, String>::default()).await?;
    Ok(answer.into_inner())
}

pub(super) async fn stream(channel: &Channel, request: Request<String>) -> Result<Streaming<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let path = PathAndQuery::from_static("/test.Say/Stream");
    let codec = ProstCodec::<String, String>::default();
    Ok(grpc.server_streaming(request, path, codec).await?.into_inner())
}

/// A name whose addresses the test decides.
#[derive(Clone, Default)]
pub(super) struct Name(Arc<Mutex<BTreeSet<SocketAddr>>>);

impl Name {
    pub(super) fn set(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.0.lock().unwrap() = addresses.into_iter().collect();
    }

    pub(super) fn connect(&self) -> Channel {
        let config = client_config(loopback());
        let target = Target::parse("dns://say.test:1", false).unwrap();
        let context = Context::for_tests();
        Channel::connect_by(Arc::new(self.clone()), target, &config, "tester", &context).unwrap()
    }
}

#[async_trait]
impl Resolve for Name {
    async fn resolve(&self) -> io::Result<BTreeSet<SocketAddr>> {
        Ok(self.0.lock().unwrap().clone())
    }
}
