//! Connections that wait for their next message, and how many there are per server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::tasks::Tasks;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;

/// Settings of connection reuse.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// How long a connection waits for its next message; default 10 s, 0 turns reuse off. Servers dislike idle clients.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Messages per connection; default 100.
    pub max_messages: u32,
    /// No connection lives longer; default 5 min, so that load spreads over a server's addresses again.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// Connections to one address at once, over all destinations; default 20: what large receivers tolerate.
    pub per_address: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10),
            max_messages: 100,
            max_age: Duration::from_secs(300),
            per_address: 20,
        }
    }
}

/// What connections are interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The name the server was found by: its certificate may have been checked against it.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Which connector opened it, e.g. `mx` or a smarthost's name.
    pub route: Arc<str>,
}

/// The waiting connections; clones share them.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: PoolConfig,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    idle: Mutex<HashMap<PoolKey, Vec<Idle>>>,
    slots: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// An empty pool; goodbyes run in `tasks`.
    #[must_use]
    pub fn new(config: PoolConfig, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        let (idle, slots) = (Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { config, clock, tasks, idle, slots }) }
    }

    /// The connection of `key` that waited shortest.
    #[must_use]
    pub fn take(&self, key: &PoolKey) -> Option<Connection> {
        let now = self.shared.clock.instant();
        let mut idle = self.shared.idle();
        let waiting = idle.get_mut(key)?;
        let found = waiting.pop().filter(|idle| self.shared.is_fresh(idle, now));
        if waiting.is_empty() {
            idle.remove(key);
        }
        found.map(|idle| idle.connection)
    }

    /// Keeps a connection for the next message, or closes it when it has served long enough.
    pub fn put(&self, key: PoolKey, connection: Connection) {
        let now = self.shared.clock.instant();
        let idle = Idle { connection, since: now };
        let used_up = idle.connection.messages() >= self.shared.config.max_messages;
        if used_up || !self.shared.is_fresh(&idle, now) {
            self.shared.close(idle);
            return;
        }
        self.shared.idle().entry(key).or_default().push(idle);
    }

    /// Waits, `limit` at most, until one more connection to `address` is allowed.
    pub async fn slot(&self, address: SocketAddr, limit: Duration) -> Option<OwnedSemaphorePermit> {
        let slots = {
            let mut slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(Semaphore::new(self.shared.config.per_address.max(1)));
            Arc::clone(slots.entry(address).or_insert_with(fresh))
        };
        tokio::time::timeout(limit, slots.acquire_owned()).await.ok()?.ok()
    }

    /// Connections that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.idle().values().map(Vec::len).sum()
    }

    /// Closes what waited too long, for ever; a task of its own.
    pub async fn sweep(&self) {
        let pause = (self.shared.config.idle / 2).max(Duration::from_millis(100));
        loop {
            self.shared.clock.sleep(pause).await;
            let now = self.shared.clock.instant();
            self.close(|idle, shared| !shared.is_fresh(idle, now));
            let mut slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|_, slots| Arc::strong_count(slots) > 1);
        }
    }

    /// Closes all that wait.
    pub fn close_all(&self) {
        self.close(|_, _| true);
    }

    fn close(&self, chosen: impl Fn(&Idle, &Shared) -> bool) {
        let mut closing = Vec::new();
        self.shared.idle().retain(|_, waiting| {
            let (close, keep) =
                std::mem::take(waiting).into_iter().partition(|idle| chosen(idle, &self.shared));
            *waiting = keep;
            closing.extend::<Vec<Idle>>(close);
            !waiting.is_empty()
        });
        for idle in closing {
            self.shared.close(idle);
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, HashMap<PoolKey, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self, idle: &Idle, now: Instant) -> bool {
        let waited = now.saturating_duration_since(idle.since);
        let age = now.saturating_duration_since(idle.connection.opened_at);
        waited < self.config.idle && age < self.config.max_age
    }

    fn close(&self, idle: Idle) {
        self.tasks.spawn(idle.connection.quit());
    }
}
