//! Medians, and ratios to the first target.

use std::fmt::Write as _;

use serde_json::json;

/// One figure of one round.
#[derive(Debug, Clone)]
pub(crate) struct Measure {
    /// What was measured.
    pub(crate) name: String,
    /// The figure.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Whether more is better.
    pub(crate) more_is_better: bool,
}

impl Measure {
    /// A rate per second.
    pub(crate) fn rate(name: impl Into<String>, count: usize, seconds: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let value = count as f64 / seconds.max(1e-9);
        Self { name: name.into(), value, unit: "/s", more_is_better: true }
    }

    /// A duration, shown in milliseconds.
    pub(crate) fn time(name: impl Into<String>, seconds: f64) -> Self {
        Self { name: name.into(), value: seconds * 1000.0, unit: "ms", more_is_better: false }
    }
}

/// All figures of all targets.
#[derive(Debug)]
pub(crate) struct Report {
    targets: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    measure: Measure,
    values: Vec<Vec<f64>>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(targets: Vec<String>) -> Self {
        Self { targets, rows: Vec::new() }
    }

    /// Adds one round of one target.
    pub(crate) fn add(&mut self, target: usize, measures: Vec<Measure>) {
        for measure in measures {
            let at = self.rows.iter().position(|row| row.measure.name == measure.name).unwrap_or_else(|| {
                self.rows
                    .push(Row { measure: measure.clone(), values: vec![Vec::new(); self.targets.len()] });
                self.rows.len() - 1
            });
            self.rows[at].values[target].push(measure.value);
        }
    }

    /// For people. A ratio above 1 means that the first target is better.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{:<44}", "median of rounds");
        for target in &self.targets {
            let _ = write!(table, "{target:>18}");
        }
        if self.targets.len() > 1 {
            let _ = write!(table, "{:>10}", "ratio");
        }
        for row in &self.rows {
            let _ = write!(table, "\n{:<44}", row.measure.name);
            for values in &row.values {
                let _ = write!(table, "{:>15.2} {:<2}", median(values), row.measure.unit);
            }
            if let Some(ratio) = row.ratio() {
                let _ = write!(table, "{ratio:>9.2}x");
            }
        }
        table
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            json!({
                "name": row.measure.name, "unit": row.measure.unit, "values": row.values,
                "medians": row.values.iter().map(|values| median(values)).collect::<Vec<_>>(), "ratio": row.ratio(),
            })
        });
        json!({ "targets": self.targets, "measures": rows.collect::<Vec<_>>() }).to_string()
    }
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        let (ours, theirs) = (median(self.values.first()?), median(self.values.get(1)?));
        Some(if self.measure.more_is_better { ours / theirs } else { theirs / ours })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
