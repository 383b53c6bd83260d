//! Counting and timing calls, from the first byte to the last of the answer.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use tonic::Code;
use tracing::Span;

use crate::clock::Clock;
use crate::process::Context;
use crate::telemetry::SECONDS_BUCKETS;

/// Instruments of one side: `grpc_server_*` or `grpc_client_*`.
#[derive(Debug, Clone)]
pub(super) struct CallMetrics {
    calls: Counter<u64>,
    duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
    clock: Arc<dyn Clock>,
}

impl CallMetrics {
    pub(super) fn new(side: &str, context: &Context) -> Self {
        let meter = &context.meter;
        Self {
            calls: meter.u64_counter(format!("grpc_{side}_calls")).build(),
            duration: meter
                .f64_histogram(format!("grpc_{side}_duration_seconds"))
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .build(),
            in_flight: meter.i64_up_down_counter(format!("grpc_{side}_in_flight")).build(),
            clock: Arc::clone(&context.clock),
        }
    }

    /// A call of `path` (`/package.Service/Method`) begins.
    pub(super) fn begin(&self, path: &str, span: Span) -> Call {
        self.in_flight.add(1, &[]);
        let labels = labels(split(path));
        Call { metrics: self.clone(), labels, span, started: self.clock.instant(), ended: false }
    }
}

const UNKNOWN: (&str, &str) = ("unknown", "unknown");

/// Service and method of a path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.strip_prefix('/').and_then(|path| path.rsplit_once('/')).unwrap_or(UNKNOWN)
}

fn labels((service, method): (&str, &str)) -> [KeyValue; 2] {
    [KeyValue::new("service", service.to_owned()), KeyValue::new("method", method.to_owned())]
}

/// One call under way. Dropped without [`Call::end`], it counts as cancelled.
#[derive(Debug)]
pub(super) struct Call {
    metrics: CallMetrics,
    labels: [KeyValue; 2],
    span: Span,
    started: Instant,
    ended: bool,
}

impl Call {
    /// The path is a stranger's: not a label, it could be anything.
    pub(super) fn of_a_stranger(&mut self) {
        self.labels = labels(UNKNOWN);
    }

    /// The answer is complete; only the first end counts.
    pub(super) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if code == Code::Unimplemented {
            self.of_a_stranger();
        }
        let took = self.metrics.clock.instant().saturating_duration_since(self.started);
        self.metrics.duration.record(took.as_secs_f64(), &self.labels);
        self.metrics.in_flight.add(-1, &[]);
        let [service, method] = self.labels.clone();
        self.metrics.calls.add(1, &[service, method, KeyValue::new("code", format!("{code:?}"))]);
        self.span.record("rpc.grpc.status_code", code as i32);
        if is_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// Codes that say "we failed", not "you asked for the wrong thing".
fn is_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss
    )
}
