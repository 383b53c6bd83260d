//! One call at the server: who calls, how long it may take, its span and its numbers.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::grpc::body::{self, Deadline, Side};
use crate::grpc::identity::{Authenticator, WorkloadIdentity};
use crate::grpc::measure::{CallMetrics, split};
use crate::grpc::{deadline, trace};

/// Handles the calls of one connection; clones share everything.
#[derive(Clone)]
pub(super) struct Handler {
    routes: Routes,
    shared: Arc<Shared>,
    certified: Option<WorkloadIdentity>,
}

struct Shared {
    authenticator: Authenticator,
    metrics: CallMetrics,
}

impl Handler {
    pub(super) fn new(routes: Routes, authenticator: Authenticator, metrics: CallMetrics) -> Self {
        Self { routes, shared: Arc::new(Shared { authenticator, metrics }), certified: None }
    }

    pub(super) fn for_connection(&self, certified: Option<WorkloadIdentity>) -> Self {
        Self { certified, ..self.clone() }
    }

    pub(super) async fn handle(
        mut self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let span = span(request.uri().path());
        trace::adopt(&span, request.headers());
        let mut call = self.shared.metrics.begin(request.uri().path(), span.clone());
        let identified = self.shared.authenticator.identify(request.headers_mut(), self.certified.as_ref());
        match identified {
            Ok(Some(identity)) => {
                request.extensions_mut().insert(identity);
            }
            Ok(None) => {}
            Err(status) => {
                call.of_a_stranger();
                call.end(status.code());
                return Ok(status.into_http());
            }
        }
        let deadline = deadline::read(request.headers()).map(Deadline::after);
        let answering = self.routes.call(request.map(Body::new)).instrument(span);
        match Deadline::bound(deadline, answering).await {
            Ok(Ok(response)) => Ok(body::watch(response, Side::Server, deadline, call, ())),
            Ok(Err(never)) => {
                call.end(Code::Internal);
                Ok(Status::from_error(never.into()).into_http())
            }
            Err(status) => {
                call.end(status.code());
                Ok(status.into_http())
            }
        }
    }
}

fn span(path: &str) -> Span {
    let (service, method) = split(path);
    tracing::info_span!(
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
    )
}
