//! What the process counts.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use staffetta_chassis::telemetry::SECONDS_BUCKETS;

use crate::command::Tally;
use crate::config::Role;

/// Instruments of one gateway.
#[derive(Debug, Clone)]
pub struct Metrics {
    sessions: Counter<u64>,
    seconds: Histogram<f64>,
    logins: Counter<u64>,
    messages: Counter<u64>,
    octets: Counter<u64>,
}

impl Metrics {
    /// Registers the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            sessions: meter
                .u64_counter("pop3_sessions")
                .with_description("Ended sessions by listener role and how they ended.")
                .build(),
            seconds: meter
                .f64_histogram("pop3_session_seconds")
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .with_description("How long sessions took.")
                .build(),
            logins: meter.u64_counter("pop3_logins").with_description("Logins by result.").build(),
            messages: meter
                .u64_counter("pop3_messages")
                .with_description("Messages by what was done: retrieved, previewed (TOP), deleted.")
                .build(),
            octets: meter
                .u64_counter("pop3_message_octets")
                .with_description("Octets of messages sent.")
                .build(),
        }
    }

    pub(crate) fn login(&self, result: &'static str) {
        self.logins.add(1, &[KeyValue::new("result", result)]);
    }

    pub(crate) fn session(&self, role: Role, result: &'static str, elapsed: Duration, tally: &Tally) {
        self.sessions.add(1, &[KeyValue::new("role", role.name()), KeyValue::new("result", result)]);
        self.seconds.record(elapsed.as_secs_f64(), &[KeyValue::new("role", role.name())]);
        for (action, count) in
            [("retrieved", tally.retrieved), ("previewed", tally.previewed), ("deleted", tally.deleted)]
        {
            if count > 0 {
                self.messages.add(count, &[KeyValue::new("action", action)]);
            }
        }
        self.octets.add(tally.octets, &[]);
    }
}
