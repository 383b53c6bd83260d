//! What an operator watches of the group commit. Calls, transactions and the store have instruments of their own.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

/// Instruments of the batch writer.
#[derive(Debug)]
pub(crate) struct BatchMetrics {
    size: Histogram<u64>,
    duration: Histogram<f64>,
    later: Counter<u64>,
}

impl BatchMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            size: meter
                .u64_histogram("mailstore_batch_messages")
                .with_description("Messages acknowledged by one transaction")
                .with_boundaries([1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map(f64::from).to_vec())
                .build(),
            duration: meter
                .f64_histogram("mailstore_batch_commit_seconds")
                .with_description("Time of a batch's transaction")
                .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0])
                .build(),
            later: meter
                .u64_counter("mailstore_batch_left")
                .with_description("Messages that left a batch because their account was locked")
                .build(),
        }
    }

    pub(crate) fn committed(&self, messages: usize, left: usize, took: Duration) {
        self.size.record(messages as u64, &[]);
        self.later.add(left as u64, &[]);
        self.duration.record(took.as_secs_f64(), &[KeyValue::new("outcome", "committed")]);
    }

    pub(crate) fn failed(&self, took: Duration) {
        self.duration.record(took.as_secs_f64(), &[KeyValue::new("outcome", "failed")]);
    }
}
