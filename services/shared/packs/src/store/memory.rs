//! Objects in memory, for tests.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use staffetta_chassis::spool::Spooled;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::error::{StoreError, StoreErrorKind};

/// A map. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    modified: DateTime<Utc>,
}

impl MemoryStore {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of objects held.
    pub fn len(&self) -> usize {
        self.objects().len()
    }

    /// True if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.objects().is_empty()
    }

    fn insert(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Err(StoreError::new(StoreErrorKind::AlreadyExists, key));
        }
        objects.insert(key.to_owned(), Object { bytes, modified: DateTime::UNIX_EPOCH });
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        self.insert(key, pieces.concat().into())
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        let bytes = body
            .stream()
            .try_fold(BytesMut::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
            .map_err(|error| StoreError::caused(StoreErrorKind::Unavailable, key, error))?;
        self.insert(key, bytes.freeze())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let objects = self.objects();
        let object = objects.get(key).ok_or_else(|| StoreError::new(StoreErrorKind::NotFound, key))?;
        let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(object.bytes.len());
        let start = clip(range.start);
        Ok(object.bytes.slice(start..clip(range.end).max(start)))
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let bytes = self.get_range(key, range).await?;
        Ok(stream::once(async { Ok(bytes) }).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        let objects = self.objects();
        let object = objects.get(key).ok_or_else(|| StoreError::new(StoreErrorKind::NotFound, key))?;
        Ok(info(key, object))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.objects().remove(key);
        Ok(())
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        let folder = format!("{prefix}/");
        let found: Vec<_> = self
            .objects()
            .iter()
            .filter(|(key, _)| prefix.is_empty() || key.starts_with(&folder))
            .map(|(key, object)| Ok(info(key, object)))
            .collect();
        stream::iter(found).boxed()
    }
}

fn info(key: &str, object: &Object) -> ObjectInfo {
    ObjectInfo { key: key.to_owned(), size: object.bytes.len() as u64, modified: object.modified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        super::super::contract::suite(|| async { MemoryStore::default() }).await;
    }
}
