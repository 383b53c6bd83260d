//! Whether a process lives and is ready: named checks, and the port that shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

mod server;

pub use server::{HealthConfig, HealthServer};

/// The state of one process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    draining: bool,
    checks: BTreeMap<String, CheckState>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct CheckState {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// All of it: started, not draining, every check ready.
    pub ready: bool,
    /// The service has started.
    pub started: bool,
    /// The process is on its way out.
    pub draining: bool,
    checks: BTreeMap<String, CheckState>,
}

impl Readiness {
    /// Whether the check `name` exists and is ready.
    pub fn is_ready(&self, name: &str) -> bool {
        self.checks.get(name).is_some_and(|check| check.ready)
    }
}

impl Health {
    /// Not started, no checks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that is not ready yet. A name registered again is the same check.
    pub fn register(&self, name: impl Into<String>) -> Check {
        let name = name.into();
        self.state().checks.entry(name.clone()).or_default();
        Check { health: self.clone(), name }
    }

    /// The service stands: from now on readiness is its checks.
    pub fn started(&self) {
        self.state().started = true;
    }

    /// Not ready from now on, whatever the checks say.
    pub fn draining(&self) {
        self.state().draining = true;
    }

    /// A picture of this moment.
    pub fn readiness(&self) -> Readiness {
        let state = self.state();
        let checks_ready = state.checks.values().all(|check| check.ready);
        Readiness {
            ready: state.started && !state.draining && checks_ready,
            started: state.started,
            draining: state.draining,
            checks: state.checks.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One named condition of readiness.
#[derive(Debug, Clone)]
pub struct Check {
    health: Health,
    name: String,
}

impl Check {
    /// Sets whether the condition holds.
    pub fn ready(&self, ready: bool) {
        self.set(CheckState { ready, reason: None });
    }

    /// The condition does not hold, and why.
    pub fn failing(&self, reason: impl Into<String>) {
        self.set(CheckState { ready: false, reason: Some(reason.into()) });
    }

    fn set(&self, check: CheckState) {
        self.health.state().checks.insert(self.name.clone(), check);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_the_start_every_check_and_no_drain() {
        let health = Health::new();
        let database = health.register("database");
        health.started();
        assert!(!health.readiness().ready);
        database.ready(true);
        assert!(health.readiness().ready);
        database.failing("connection refused");
        let shown = serde_json::to_string(&health.readiness()).unwrap();
        assert!(shown.contains("connection refused") && shown.contains("\"ready\":false"), "{shown}");
        database.ready(true);
        health.draining();
        assert!(!health.readiness().ready);
    }
}
