//! What the process counts.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use staffetta_chassis::telemetry::{BYTES_BUCKETS, SECONDS_BUCKETS};

use crate::config::Role;

/// Instruments of one ingress.
#[derive(Debug, Clone)]
pub struct Metrics {
    sessions: Counter<u64>,
    accepted: Counter<u64>,
    refused: Counter<u64>,
    logins: Counter<u64>,
    accept_seconds: Histogram<f64>,
    message_bytes: Histogram<u64>,
}

impl Metrics {
    /// Registers the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            sessions: meter
                .u64_counter("smtp_sessions")
                .with_description("Sessions, by role and TLS.")
                .build(),
            accepted: meter
                .u64_counter("smtp_messages_accepted")
                .with_description("Messages answered 250, by role and by what took them (mailstore, queue).")
                .build(),
            refused: meter
                .u64_counter("smtp_refused")
                .with_description("Refusals by role, stage (connect, mail, rcpt, data, message) and reason.")
                .build(),
            logins: meter.u64_counter("smtp_logins").with_description("Logins by result.").build(),
            accept_seconds: meter
                .f64_histogram("smtp_accept_seconds")
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .with_description("From the final dot to the reply.")
                .build(),
            message_bytes: meter
                .u64_histogram("smtp_message_bytes")
                .with_boundaries(BYTES_BUCKETS.to_vec())
                .with_description("Size of accepted messages.")
                .build(),
        }
    }

    pub(crate) fn session(&self, role: Role) {
        self.sessions.add(1, &[label("role", role.name())]);
    }

    pub(crate) fn accepted(&self, role: Role, via: &'static str, size: u64) {
        self.accepted.add(1, &[label("role", role.name()), label("via", via)]);
        self.message_bytes.record(size, &[label("role", role.name())]);
    }

    pub(crate) fn refused(&self, role: Role, stage: &'static str, reason: &'static str) {
        self.refused.add(1, &[label("role", role.name()), label("stage", stage), label("reason", reason)]);
    }

    pub(crate) fn login(&self, result: &'static str) {
        self.logins.add(1, &[label("result", result)]);
    }

    pub(crate) fn accept_time(&self, role: Role, elapsed: Duration) {
        self.accept_seconds.record(elapsed.as_secs_f64(), &[label("role", role.name())]);
    }
}

fn label(key: &'static str, value: &'static str) -> KeyValue {
    KeyValue::new(key, value)
}
