//! Decorator: how long calls take, how they end, how many bytes they move.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use staffetta_chassis::spool::Spooled;
use tokio::time::Instant;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::error::StoreError;

/// See the module.
#[derive(Debug)]
pub struct Metered {
    inner: Arc<dyn ObjectStore>,
    duration: Histogram<f64>,
    bytes: Counter<u64>,
}

impl Metered {
    /// Wraps `inner`; instruments are `store.operation.duration` (s) and `store.bytes`.
    pub fn new(inner: Arc<dyn ObjectStore>, meter: &Meter) -> Self {
        Self {
            inner,
            duration: meter
                .f64_histogram("store.operation.duration")
                .with_unit("s")
                .with_description("Time of object store calls by operation and outcome")
                .with_boundaries(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0])
                .build(),
            bytes: meter
                .u64_counter("store.bytes")
                .with_unit("By")
                .with_description("Bytes written to and read from the object store")
                .build(),
        }
    }

    async fn timed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let outcome = call.await;
        let ended = outcome.as_ref().map_or_else(|error| error.kind().name(), |_| "ok");
        self.duration.record(
            begun.elapsed().as_secs_f64(),
            &[KeyValue::new("operation", operation), KeyValue::new("outcome", ended)],
        );
        outcome
    }

    fn count(&self, direction: &'static str, bytes: u64) {
        self.bytes.add(bytes, &[KeyValue::new("direction", direction)]);
    }
}

#[async_trait]
impl ObjectStore for Metered {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        self.timed("put", self.inner.put(key, pieces)).await?;
        self.count("write", pieces.iter().map(|piece| piece.len() as u64).sum());
        Ok(())
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        self.timed("put_stream", self.inner.put_stream(key, body)).await?;
        self.count("write", body.len());
        Ok(())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.timed("get_range", self.inner.get_range(key, range)).await?;
        self.count("read", bytes.len() as u64);
        Ok(bytes)
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        self.count("read", range.end.saturating_sub(range.start));
        self.timed("get_stream", self.inner.get_stream(key, range)).await
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        self.timed("head", self.inner.head(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.timed("delete", self.inner.delete(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        self.inner.list(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let meter = opentelemetry::global::meter("packs-test");
        super::super::contract::suite(|| async { Metered::new(Arc::new(MemoryStore::default()), &meter) })
            .await;
    }
}
