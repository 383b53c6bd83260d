//! The port: what we ask of an object store.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use staffetta_chassis::spool::Spooled;

use crate::error::StoreError;

pub mod cache;
pub mod contract;
pub mod directory;
pub mod fault;
pub mod memory;
pub mod metrics;
pub mod retry;
pub mod s3;

/// Bytes of an object as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// What a listing or `head` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// Immutable objects under unique keys.
///
/// Keys are `/`-separated segments of `[a-zA-Z0-9._-]`. One suite ([`contract::suite`]) holds for
/// every implementation and every decorator.
#[async_trait]
pub trait ObjectStore: Debug + Send + Sync + 'static {
    /// Creates an object from pieces in memory. When it returns `Ok` the object survives a power
    /// failure. `AlreadyExists` if the key is taken; a failed call leaves no object or the whole one.
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError>;

    /// Creates an object from a body too large for memory, with the durability of
    /// [`put`](Self::put). Keys must be unique: a store may not notice that one is taken.
    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError>;

    /// Bytes `range` of an object, clipped at its end (empty if it begins there or later).
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// As [`get_range`](Self::get_range), for ranges too large for memory. One request.
    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError>;

    /// Length and time.
    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError>;

    /// Removes an object; a missing one is `Ok`, so that deletion can be repeated.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// All objects whose key begins with the segments of `prefix`, in no particular order.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>>;
}
