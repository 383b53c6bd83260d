//! Counters of failures in one pod.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often something failed, and how long this is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) failures: u32,
    pub(super) left: Duration,
}

/// A bounded map of counters that expire.
pub(super) struct Counters {
    capacity: usize,
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    failures: u32,
    until: Instant,
}

impl Counters {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(16), entries: Mutex::default() }
    }

    pub(super) fn read(&self, keys: [&str; 3], now: Instant) -> [Count; 3] {
        let entries = self.entries();
        keys.map(|key| entries.get(key).map(|entry| entry.count(now)).unwrap_or_default())
    }

    /// Adds one failure. The first one opens the window; the one that reaches `limit` starts the lock.
    pub(super) fn add(&self, key: &str, limit: u32, window: Duration, lock: Duration, now: Instant) -> Count {
        let mut entries = self.entries();
        make_room(&mut entries, self.capacity, now);
        let entry = entries.entry(key.to_owned()).or_insert(Entry { failures: 0, until: now });
        if entry.until <= now {
            *entry = Entry { failures: 0, until: now + window };
        }
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures == limit {
            entry.until = now + lock;
        }
        entry.count(now)
    }

    pub(super) fn subtract(&self, key: &str) {
        if let Some(entry) = self.entries().get_mut(key) {
            entry.failures = entry.failures.saturating_sub(1);
        }
    }

    pub(super) fn clear(&self, key: &str) {
        self.entries().remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn count(&self, now: Instant) -> Count {
        match self.until.saturating_duration_since(now) {
            Duration::ZERO => Count::default(),
            left => Count { failures: self.failures, left },
        }
    }
}

/// When the map is full: first what has expired goes, then the quarter that expires soonest.
fn make_room(entries: &mut HashMap<String, Entry>, capacity: usize, now: Instant) {
    if entries.len() < capacity {
        return;
    }
    entries.retain(|_, entry| entry.until > now);
    if entries.len() < capacity {
        return;
    }
    let mut ends: Vec<Instant> = entries.values().map(|entry| entry.until).collect();
    let (_, cut, _) = ends.select_nth_unstable(capacity / 4);
    let cut = *cut;
    entries.retain(|_, entry| entry.until > cut);
}
