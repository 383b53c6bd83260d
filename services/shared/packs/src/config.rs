//! Settings of stores, packs and the read cache.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use opentelemetry::metrics::Meter;
use serde::Deserialize;
use staffetta_chassis::config::Secret;

use crate::error::StoreError;
use crate::store::directory::DirectoryStore;
use crate::store::memory::MemoryStore;
use crate::store::metrics::Metered;
use crate::store::retry::{Retried, RetryPolicy};
use crate::store::{ObjectStore, s3};

/// Which object store holds the bodies (`type = "directory" | "s3" | "memory"`).
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StoreConfig {
    /// A local directory, every object fsynced: one machine, or a volume all pods share.
    Directory {
        /// Folder of the objects; created if missing.
        path: PathBuf,
    },
    /// S3 or anything that speaks its protocol.
    S3(S3Config),
    /// Nothing survives the process: for tests only.
    Memory {},
}

/// An S3 bucket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Bucket name.
    pub bucket: String,
    /// `https://host:port` of a compatible store. Default: AWS, by region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Region. Default `us-east-1`, which compatible stores accept.
    #[serde(default = "default_region")]
    pub region: String,
    /// Put before every key, so that several platforms may share a bucket. Default none.
    #[serde(default)]
    pub prefix: String,
    /// Access key. Default: the pod's own identity (web identity, instance metadata).
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Secret of the access key; from the environment or a file.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// Bucket in the path instead of the host name. Default true: what compatible stores expect.
    #[serde(default = "default_true")]
    pub path_style: bool,
    /// Allow `http://` endpoints. Default false: bodies are private.
    #[serde(default)]
    pub allow_http: bool,
}

fn default_region() -> String {
    "us-east-1".into()
}

fn default_true() -> bool {
    true
}

impl StoreConfig {
    /// Opens the store with retries and metrics around it.
    pub async fn open(&self, meter: &Meter) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let bare: Arc<dyn ObjectStore> = match self {
            Self::Directory { path } => Arc::new(DirectoryStore::open(path.clone()).await?),
            Self::S3(config) => Arc::new(s3::S3Store::new(config)?),
            Self::Memory {} => Arc::new(MemoryStore::default()),
        };
        let metered = Arc::new(Metered::new(bare, meter));
        Ok(Arc::new(Retried::new(metered, RetryPolicy::default())))
    }

    /// How many packs may be written at once unless [`PackConfig::in_flight`] says otherwise.
    pub fn default_in_flight(&self) -> NonZeroUsize {
        // A local disk gains nothing from overlap (measured); a remote store hides its latency.
        let batches = if matches!(self, Self::S3(_)) { 4 } else { 1 };
        NonZeroUsize::new(batches).unwrap_or(NonZeroUsize::MIN)
    }
}

/// Group commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackConfig {
    /// Bytes of bodies in one pack. Default 4 MiB: beyond it a batch only adds latency.
    pub max_batch_bytes: u64,
    /// Bodies in one pack. Default 512: bounds the transaction.
    pub max_batch_items: usize,
    /// A body larger than this gets a pack of its own, streamed. Default 1 MiB: what a receiver keeps in memory.
    pub large_body: u64,
    /// Large bodies written at once. Default 8.
    pub large_in_flight: usize,
    /// Packs written at once. Default: 1 for a directory, 4 for S3.
    pub in_flight: Option<NonZeroUsize>,
    /// A further pack is begun while others are being written only when this many bodies wait.
    /// Default 16: fewer PUTs are worth more than a few milliseconds.
    pub overlap_at: usize,
}

impl Default for PackConfig {
    fn default() -> Self {
        Self {
            max_batch_bytes: 4 << 20,
            max_batch_items: 512,
            large_body: 1 << 20,
            large_in_flight: 8,
            in_flight: None,
            overlap_at: 16,
        }
    }
}

/// The bounded read cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Bytes kept. Default 64 MiB: a few busy mailboxes' newest packs.
    pub bytes: u64,
    /// Unit of reading and keeping. Default 64 KiB: neighbours of an opened message come with it.
    pub block: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { bytes: 64 << 20, block: 64 << 10 }
    }
}
