//! Traces that go on beyond a call: a W3C `traceparent` kept with a piece of work or sent along with it.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The W3C `traceparent` of `span`; none when traces are off. Starts the span: its parent is fixed from then on.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| {
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
    })
}

/// Makes `span`, which nothing has entered yet, a child of the span named by `traceparent`. A text that is none is
/// ignored, as W3C Trace Context 4.3 asks.
pub fn continue_trace(span: &Span, traceparent: &str) {
    if let Some(parent) = parse(traceparent) {
        // Fails when traces are off, which is fine.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00"
        || trace.len() != 32
        || parent.len() != 16
        || flags.len() != 2
        || parts.next().is_some()
    {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(parent).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_trace_goes_on_from_its_traceparent() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let first = traceparent(&tracing::info_span!("first")).unwrap();
            let second = tracing::info_span!(parent: None, "second");
            continue_trace(&second, &first);
            let second = traceparent(&second).unwrap();
            assert_eq!(first[..36], second[..36]);
            assert_ne!(first, second);
            let third = tracing::info_span!(parent: None, "third");
            continue_trace(&third, "00-junk");
            assert_ne!(traceparent(&third).unwrap()[..36], first[..36]);
        });
    }

    #[test]
    fn without_traces_there_is_no_traceparent() {
        assert_eq!(traceparent(&Span::none()), None);
    }
}
