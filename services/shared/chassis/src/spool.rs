//! Where a body waits while it is received and until it is answered: in memory while small, else in a file.
//!
//! Invariants: the bytes of all bodies of one [`SpoolBudget`] never exceed its two limits; a [`Spooled`] can
//! be read any number of times, by many at once; its share of the budget returns with its last clone; a
//! file has no name, so nothing is left behind by a crash.

use std::io;
use std::path::PathBuf;

use serde::Deserialize;

mod budget;
mod spooled;
mod writer;

pub use budget::SpoolBudget;
pub use spooled::Spooled;
pub use writer::SpoolWriter;

/// The chunks of a [`Spooled::stream`] are at most this long, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// Limits of a spool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// A body longer than this many bytes goes to a file; default 1 MiB.
    pub memory_per_body: u64,
    /// All bodies in memory together, in bytes; beyond it new ones go to files. Default 64 MiB.
    pub memory_total: u64,
    /// Where the files are; default the system's temporary folder. Must be on a local disk.
    pub folder: Option<PathBuf>,
    /// All files together, in bytes; beyond it [`SpoolError::Full`]. Default 4 GiB.
    pub folder_total: u64,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { memory_per_body: 1 << 20, memory_total: 64 << 20, folder: None, folder_total: 4 << 30 }
    }
}

/// A body could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Memory and folder are used up: a temporary condition.
    #[error("the spool is full")]
    Full,
    /// The folder failed.
    #[error("the spool folder failed")]
    Io(#[from] io::Error),
}
