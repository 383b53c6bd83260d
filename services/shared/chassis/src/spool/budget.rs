//! The limits that all bodies of a pod share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{SpoolConfig, SpoolWriter};

/// The shared limits; clones share them.
#[derive(Debug, Clone)]
pub struct SpoolBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    memory_per_body: u64,
    folder: PathBuf,
    memory: Pool,
    files: Pool,
}

impl SpoolBudget {
    /// A budget with nothing used.
    pub fn new(config: &SpoolConfig) -> Self {
        let inner = Inner {
            memory_per_body: config.memory_per_body.min(config.memory_total),
            folder: config.folder.clone().unwrap_or_else(std::env::temp_dir),
            memory: Pool::new(config.memory_total),
            files: Pool::new(config.folder_total),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A place for one new body.
    pub fn writer(&self) -> SpoolWriter {
        SpoolWriter::new(self.clone())
    }

    /// Bytes in use now: in memory, in files.
    pub fn used(&self) -> (u64, u64) {
        (self.inner.memory.used(), self.inner.files.used())
    }

    pub(super) fn memory_per_body(&self) -> u64 {
        self.inner.memory_per_body
    }

    pub(super) fn folder(&self) -> &Path {
        &self.inner.folder
    }

    pub(super) fn memory(&self) -> Share {
        Share { budget: self.clone(), kind: Kind::Memory, bytes: 0 }
    }

    pub(super) fn files(&self) -> Share {
        Share { budget: self.clone(), kind: Kind::Files, bytes: 0 }
    }

    fn pool(&self, kind: Kind) -> &Pool {
        match kind {
            Kind::Memory => &self.inner.memory,
            Kind::Files => &self.inner.files,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    Files,
}

/// What one body took; it returns when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: SpoolBudget,
    kind: Kind,
    bytes: u64,
}

impl Share {
    /// Takes `bytes` more; false (and nothing taken) when they are not there.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let granted = self.budget.pool(self.kind).take(bytes);
        if granted {
            self.bytes += bytes;
        }
        granted
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.pool(self.kind).give(self.bytes);
    }
}

#[derive(Debug)]
struct Pool {
    total: u64,
    used: AtomicU64,
}

impl Pool {
    fn new(total: u64) -> Self {
        Self { total, used: AtomicU64::new(0) }
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.total);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, grown).is_ok()
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}
