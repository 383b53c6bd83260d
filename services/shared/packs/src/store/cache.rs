//! Decorator: a bounded cache of aligned blocks.
//!
//! Objects never change, so a block is right for ever; a deleted object's blocks age out, and
//! nobody holds an address in it. Missing neighbours are read with one request.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use moka::future::Cache;
use staffetta_chassis::spool::Spooled;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::config::CacheConfig;
use crate::error::StoreError;

/// Ranges of more blocks than this go past the cache: they would only push others out.
const MAX_BLOCKS: u64 = 32;

/// See the module.
#[derive(Debug)]
pub struct Cached {
    inner: Arc<dyn ObjectStore>,
    blocks: Cache<(Arc<str>, u64), Bytes>,
    block: u64,
}

impl Cached {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, config: &CacheConfig) -> Self {
        let blocks = Cache::builder()
            .max_capacity(config.bytes)
            .weigher(|key: &(Arc<str>, u64), block: &Bytes| {
                u32::try_from(block.len() + key.0.len() + 64).unwrap_or(u32::MAX)
            })
            .build();
        Self { inner, blocks, block: config.block.max(4096) }
    }

    /// The blocks of `numbers`, from the cache or with one read of the missing span.
    async fn blocks(&self, key: &str, numbers: Range<u64>) -> Result<Vec<Bytes>, StoreError> {
        let name: Arc<str> = key.into();
        let mut found = Vec::new();
        for number in numbers.clone() {
            found.push(self.blocks.get(&(name.clone(), number)).await);
        }
        let missing = |block: &Option<Bytes>| block.is_none();
        if let (Some(first), Some(last)) = (found.iter().position(missing), found.iter().rposition(missing)) {
            let (from, to) = (numbers.start + first as u64, numbers.start + last as u64 + 1);
            let mut span = self.inner.get_range(key, from * self.block..to * self.block).await?;
            for (slot, number) in found[first..=last].iter_mut().zip(from..) {
                let len = usize::try_from(self.block).unwrap_or(usize::MAX).min(span.len());
                // Copied, so that one block does not keep its whole span in memory.
                let block = Bytes::copy_from_slice(&span.split_to(len));
                self.blocks.insert((name.clone(), number), block.clone()).await;
                *slot = Some(block);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

#[async_trait]
impl ObjectStore for Cached {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        self.inner.put(key, pieces).await
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        self.inner.put_stream(key, body).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let numbers = range.start / self.block..range.end.div_ceil(self.block);
        if range.is_empty() || numbers.end - numbers.start > MAX_BLOCKS {
            return self.inner.get_range(key, range).await;
        }
        let base = numbers.start * self.block;
        let mut blocks = self.blocks(key, numbers).await?;
        let all = if blocks.len() == 1 {
            blocks.swap_remove(0)
        } else {
            let mut all = BytesMut::with_capacity(blocks.iter().map(Bytes::len).sum());
            blocks.iter().for_each(|block| all.extend_from_slice(block));
            all.freeze()
        };
        let clip = |at: u64| usize::try_from(at - base).unwrap_or(usize::MAX).min(all.len());
        Ok(all.slice(clip(range.start)..clip(range.end)))
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        self.inner.get_stream(key, range).await
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        self.inner.head(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        self.inner.list(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{Faulty, Operation};
    use super::super::memory::MemoryStore;
    use super::*;

    fn small() -> CacheConfig {
        CacheConfig { bytes: 1 << 20, block: 4096 }
    }

    #[tokio::test]
    async fn keeps_the_contract_apart_from_forgetting_the_deleted() {
        let make = || async { Cached::new(Arc::new(MemoryStore::default()), &small()) };
        super::super::contract::suite(make).await;
    }

    #[tokio::test]
    async fn neighbours_come_with_one_read() {
        let counted = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        let body: Vec<u8> = (0..20_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        counted.put("k", &[Bytes::from(body.clone())]).await.unwrap();
        let store = Cached::new(counted.clone(), &small());
        for (start, end) in [(0, 100), (100, 4000), (50, 3000)] {
            let read = store.get_range("k", start..end).await.unwrap();
            assert_eq!(read, body[start as usize..end as usize]);
        }
        assert_eq!(counted.calls(Operation::Get), 1);
        // Blocks 0 (kept) to 4, of which the last is short: one more read.
        assert_eq!(store.get_range("k", 4000..30_000).await.unwrap(), body[4000..]);
        assert_eq!(counted.calls(Operation::Get), 2);
        assert_eq!(store.get_range("k", 8000..12_000).await.unwrap(), body[8000..12_000]);
        assert_eq!(counted.calls(Operation::Get), 2);
    }
}
