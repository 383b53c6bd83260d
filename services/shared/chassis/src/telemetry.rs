//! Logs (JSON or pretty), traces over OTLP, and the metrics registry of one context.

use std::fmt;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde::Deserialize;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

mod metrics;
mod propagation;

pub use metrics::Metrics;
pub use propagation::{continue_trace, traceparent};

/// Bucket bounds for durations in seconds, 0.5 ms to 60 s.
pub const SECONDS_BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Bucket bounds for sizes in bytes, 1 KiB to 64 MiB.
pub const BYTES_BUCKETS: [f64; 9] =
    [1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];

/// Logs and traces of one process.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    pub traces: TracesConfig,
}

/// How logs look and what they contain.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `json` (default, for collectors) or `pretty` (for people).
    pub format: LogFormat,
    /// Which events, as `tracing` directives, e.g. `info,staffetta_mailstore=debug`; default `info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info,opentelemetry=warn,opentelemetry_sdk=warn".to_owned() }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for a terminal.
    Pretty,
}

/// Where traces go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// OTLP gRPC collector, e.g. `http://collector:4317`; none (default): no traces.
    pub endpoint: Option<String>,
    /// Share of new traces that are kept, 0 to 1 (default 1); a caller's decision is followed.
    pub ratio: f64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { endpoint: None, ratio: 1.0 }
    }
}

/// Telemetry could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is not a list of directives.
    #[error("log filter is not valid")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The OTLP exporter refuses its settings.
    #[error("trace exporter cannot be built")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// This process has a log subscriber already.
    #[error("a log subscriber is already installed in this process")]
    Installed(#[source] tracing_subscriber::util::TryInitError),
}

/// Keeps the trace exporter; [`TelemetryGuard::shutdown`] sends what is buffered.
#[must_use = "traces are lost when the guard is dropped without shutdown"]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl fmt::Debug for TelemetryGuard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TelemetryGuard").field("traces", &self.provider.is_some()).finish()
    }
}

impl TelemetryGuard {
    /// Sends the buffered spans and stops the exporter. Blocks: call it outside of async code, while the
    /// runtime still runs.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "some traces could not be sent");
        }
    }
}

/// Installs the process-wide subscriber. Call it once per operating system process, inside a runtime;
/// [`crate::process::run`] does.
///
/// # Errors
/// A filter that cannot be parsed, an exporter that cannot be built, or a second call.
pub fn init(config: &TelemetryConfig, service: &'static str) -> Result<TelemetryGuard, TelemetryError> {
    let provider = tracer_provider(&config.traces, service)?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer(service)).with_filter(exported_spans())
    });
    tracing_subscriber::registry()
        .with(spans)
        .with(log_layer(&config.log)?)
        .try_init()
        .map_err(TelemetryError::Installed)?;
    Ok(TelemetryGuard { provider })
}

fn log_layer<S>(config: &LogConfig) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::builder().parse(&config.filter).map_err(TelemetryError::Filter)?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    Ok(match config.format {
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Pretty => layer.compact().with_target(false).with_filter(filter).boxed(),
    })
}

fn tracer_provider(
    config: &TracesConfig,
    service: &'static str,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(TelemetryError::Exporter)?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.ratio)));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(Resource::builder().with_service_name(service).build())
        .build();
    Ok(Some(provider))
}

/// The exporter's own HTTP/2 must not be traced, or every export would feed the next one.
fn exported_spans() -> Targets {
    [
        "h2",
        "hyper",
        "hyper_util",
        "tonic",
        "tower",
        "opentelemetry",
        "opentelemetry_sdk",
        "opentelemetry_otlp",
    ]
    .into_iter()
    .fold(Targets::new().with_default(LevelFilter::INFO), |targets, library| {
        targets.with_target(library, LevelFilter::OFF)
    })
}
