//! What the gateway counts.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};

/// The instruments of a gateway.
#[derive(Debug, Clone)]
pub struct Metrics {
    sessions: UpDownCounter<i64>,
    logins: Counter<u64>,
    commands: Counter<u64>,
    command_seconds: Histogram<f64>,
}

impl Metrics {
    /// Makes them.
    pub fn new(meter: &Meter) -> Self {
        Self {
            sessions: meter.i64_up_down_counter("imap_sessions").with_description("Open sessions").build(),
            logins: meter.u64_counter("imap_logins").with_description("Logins by result").build(),
            commands: meter
                .u64_counter("imap_commands")
                .with_description("Commands by name and status")
                .build(),
            command_seconds: meter
                .f64_histogram("imap_command_seconds")
                .with_description("Time from a complete command to its completion")
                .with_unit("s")
                .build(),
        }
    }

    /// A session begins (1) or ends (-1).
    pub fn session(&self, change: i64) {
        self.sessions.add(change, &[]);
    }

    /// A login ended so.
    pub fn login(&self, result: &'static str) {
        self.logins.add(1, &[KeyValue::new("result", result)]);
    }

    /// A command ended so.
    pub fn command(&self, name: &'static str, status: &'static str, seconds: f64) {
        self.commands.add(1, &[KeyValue::new("command", name), KeyValue::new("status", status)]);
        self.command_seconds.record(seconds, &[KeyValue::new("command", name)]);
    }
}
