//! The metrics of one context: OpenTelemetry instruments, a Prometheus registry of its own.

use std::fmt;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

/// Provider and registry; nothing global.
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Metrics")
    }
}

impl Metrics {
    /// An empty registry whose metrics carry `service` in `target_info`.
    pub fn new(service: &str) -> Self {
        let registry = Registry::new();
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let mut builder = SdkMeterProvider::builder().with_resource(resource);
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build();
        match exporter {
            Ok(exporter) => builder = builder.with_reader(exporter),
            // Only a name taken twice can fail, and this registry is new.
            Err(error) => tracing::error!(%error, "metrics are not exported"),
        }
        Self { registry, provider: builder.build() }
    }

    /// A meter whose instruments appear in [`Self::text`].
    pub fn meter(&self) -> Meter {
        self.provider.meter("staffetta")
    }

    /// Everything in the Prometheus text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}
