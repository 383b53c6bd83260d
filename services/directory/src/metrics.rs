//! The service's instruments.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};

/// Instruments of one directory process. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    logins: Counter<u64>,
    login_seconds: Histogram<f64>,
    renewals: Counter<u64>,
    verifications: Counter<u64>,
    hashing: UpDownCounter<i64>,
    resolutions: Counter<u64>,
    budgets: Counter<u64>,
    budget_batch: Histogram<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter =
            |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        Self {
            logins: counter("directory_logins", "Logins by result"),
            login_seconds: meter
                .f64_histogram("directory_login_duration_seconds")
                .with_description("Time of a login, slowing included")
                .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
                .build(),
            renewals: counter("directory_renewals", "Session renewals by result"),
            verifications: counter("directory_verifications", "Password checks by where they were answered"),
            hashing: meter
                .i64_up_down_counter("directory_hashing")
                .with_description("Password hashes computed or waiting for it")
                .build(),
            resolutions: counter("directory_resolutions", "Addresses resolved, by where they were answered"),
            budgets: counter("directory_budget_charges", "Sending budget charges by result"),
            budget_batch: meter
                .u64_histogram("directory_budget_batch_size")
                .with_description("Charges and refunds of one transaction")
                .with_boundaries(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
                .build(),
        }
    }

    pub(crate) fn login(&self, result: &'static str, took: Duration) {
        self.logins.add(1, &[KeyValue::new("result", result)]);
        self.login_seconds.record(took.as_secs_f64(), &[]);
    }

    pub(crate) fn renewal(&self, result: &'static str) {
        self.renewals.add(1, &[KeyValue::new("result", result)]);
    }

    /// `source`: `cache` or `hash`.
    pub(crate) fn verification(&self, source: &'static str) {
        self.verifications.add(1, &[KeyValue::new("source", source)]);
    }

    pub(crate) fn hashing(&self, change: i64) {
        self.hashing.add(change, &[]);
    }

    /// `source`: `cache` or `database`.
    pub(crate) fn resolution(&self, source: &'static str, count: usize) {
        self.resolutions.add(count as u64, &[KeyValue::new("source", source)]);
    }

    pub(crate) fn budget(&self, result: &'static str) {
        self.budgets.add(1, &[KeyValue::new("result", result)]);
    }

    pub(crate) fn budget_batch(&self, size: usize) {
        self.budget_batch.record(size as u64, &[]);
    }
}
