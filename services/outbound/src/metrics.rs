//! What the process counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use staffetta_chassis::clock::Clock;
use staffetta_chassis::telemetry::SECONDS_BUCKETS;
use staffetta_outbound_api::{Queue, QueueStats};

use crate::client::pool::Pool;
use crate::worker::outcome::Way;

/// How often the queue is counted: the counting scans it.
const SAMPLE_PAUSE: Duration = Duration::from_secs(15);

/// The instruments; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    attempts: Counter<u64>,
    duration: Histogram<f64>,
    connections: Counter<u64>,
}

impl Metrics {
    /// Instruments of `meter`.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            attempts: meter
                .u64_counter("outbound_attempts")
                .with_description("Results, one per attempt and recipient")
                .build(),
            duration: meter
                .f64_histogram("outbound_attempt_duration_seconds")
                .with_description("From claim to result")
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .build(),
            connections: meter
                .u64_counter("outbound_connections")
                .with_description("Connections used for a transaction, new or reused")
                .build(),
        }
    }

    /// A recipient's result.
    pub fn attempt(&self, way: Way, result: &'static str, elapsed: Duration) {
        let route = match way {
            Way::Local => "local",
            Way::Remote => "remote",
            Way::Unreachable => "unreachable",
        };
        let labels = [KeyValue::new("route", route), KeyValue::new("result", result)];
        self.attempts.add(1, &labels);
        self.duration.record(elapsed.as_secs_f64(), &labels);
    }

    /// A connection was used.
    pub fn connection(&self, reused: bool) {
        self.connections.add(1, &[KeyValue::new("reused", reused)]);
    }
}

/// Shows the queue's totals and the waiting connections on `meter`, for ever; a task of its own.
pub async fn sample(queue: Arc<dyn Queue>, pool: Pool, clock: Arc<dyn Clock>, meter: Meter) {
    let latest: Arc<Mutex<QueueStats>> = Arc::default();
    let gauge = |name: &'static str, value: fn(&QueueStats) -> u64| {
        let latest = Arc::clone(&latest);
        meter
            .u64_observable_gauge(name)
            .with_callback(move |observer| {
                observer.observe(value(&latest.lock().unwrap_or_else(PoisonError::into_inner)), &[]);
            })
            .build()
    };
    let _gauges = [
        gauge("outbound_queue_messages", |stats| stats.messages),
        gauge("outbound_queue_recipients", |stats| stats.recipients),
        gauge("outbound_queue_due", |stats| stats.due),
        gauge("outbound_queue_in_flight", |stats| stats.in_flight),
        gauge("outbound_queue_oldest_age_seconds", |stats| stats.oldest_age.as_secs()),
        meter
            .u64_observable_gauge("outbound_idle_connections")
            .with_callback(move |observer| observer.observe(pool.waiting() as u64, &[]))
            .build(),
    ];
    loop {
        match queue.stats().await {
            Ok(stats) => *latest.lock().unwrap_or_else(PoisonError::into_inner) = stats,
            Err(error) => tracing::debug!(%error, "queue could not be counted"),
        }
        clock.sleep(SAMPLE_PAUSE).await;
    }
}
