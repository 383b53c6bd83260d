//! Reading bodies: ranged, verified, neighbours together.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use crate::address::{BodyAddress, Checksum, ChecksumHasher, Prefix};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::{ByteStream, ObjectStore};

/// Bodies up to this length are read whole (and verified) even if a part is asked for.
const WHOLE: u64 = 1 << 20;
/// Bodies this close together are read with one request.
const GAP: u64 = 64 << 10;
/// Bytes of one coalesced request.
const SPAN: u64 = 1 << 20;
/// Coalesced requests under way for one batched read.
const READ_AHEAD: usize = 2;
/// A broken stream is taken up again this often.
const RESUMPTIONS: u32 = 3;

/// Reads bodies of one owner.
#[derive(Debug, Clone)]
pub struct PackReader {
    store: Arc<dyn ObjectStore>,
    prefix: Prefix,
}

impl PackReader {
    /// A reader of the packs below `prefix`; wrap `store` with
    /// [`Cached`](crate::store::cache::Cached) first if reads repeat.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Prefix) -> Self {
        Self { store, prefix }
    }

    /// A whole body in memory, verified. The caller bounds `address.len`.
    pub async fn whole(&self, address: &BodyAddress) -> Result<Bytes, StoreError> {
        if address.len == 0 {
            return Ok(Bytes::new());
        }
        let key = address.pack.key(&self.prefix);
        let body = self.store.get_range(&key, address.offset..address.offset + address.len).await?;
        verified(&key, address, body)
    }

    /// Bytes `range` of a body (clipped at its end) as a stream. Small bodies are verified before
    /// the first byte leaves, a large one read from start to end is verified at its end (the
    /// stream then ends with `Corrupt`), a part of a large one is not.
    pub async fn stream(&self, address: &BodyAddress, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let end = range.end.min(address.len);
        let start = range.start.min(end);
        if address.len <= WHOLE {
            let body = self.whole(address).await?;
            let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
            let part = body.slice(clip(start)..clip(end));
            return Ok(stream::once(async { Ok(part) }).boxed());
        }
        let reading = Reading {
            store: self.store.clone(),
            key: address.pack.key(&self.prefix),
            at: address.offset + start,
            end: address.offset + end,
            checksum: (start == 0 && end == address.len).then_some(address.checksum),
            hasher: ChecksumHasher::default(),
            resumptions: 0,
            source: None,
        };
        let mut reading = reading;
        reading.open().await?;
        Ok(stream::try_unfold(reading, |mut reading| async {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        })
        .boxed())
    }

    /// Many whole bodies, in the order given; bodies that lie together in a pack come with one
    /// request. A body over 1 MiB is read by itself. Ends at the first error.
    pub fn many(&self, addresses: Vec<BodyAddress>) -> BoxStream<'static, Result<Bytes, StoreError>> {
        let reader = self.clone();
        stream::iter(coalesce(addresses))
            .map(move |run| {
                let reader = reader.clone();
                async move { reader.run(run).await }
            })
            .buffered(READ_AHEAD)
            .map_ok(|bodies| stream::iter(bodies.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    async fn run(&self, run: Vec<BodyAddress>) -> Result<Vec<Bytes>, StoreError> {
        let Some(first) = run.first() else { return Ok(Vec::new()) };
        if run.iter().all(|body| body.len == 0) {
            return Ok(vec![Bytes::new(); run.len()]);
        }
        let key = first.pack.key(&self.prefix);
        let start = run.iter().map(|body| body.offset).min().unwrap_or(0);
        let end = run.iter().map(|body| body.offset + body.len).max().unwrap_or(0);
        let span = self.store.get_range(&key, start..end).await?;
        let clip = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX).min(span.len());
        run.iter()
            .map(|body| verified(&key, body, span.slice(clip(body.offset)..clip(body.offset + body.len))))
            .collect()
    }
}

/// Splits into runs of consecutive addresses that one request can serve.
fn coalesce(addresses: Vec<BodyAddress>) -> Vec<Vec<BodyAddress>> {
    let mut runs: Vec<(Range<u64>, Vec<BodyAddress>)> = Vec::new();
    for body in addresses {
        let (start, end) = (body.offset, body.offset + body.len);
        if let Some((span, run)) = runs.last_mut() {
            let joined = span.start.min(start)..span.end.max(end);
            let close = start <= span.end + GAP && end + GAP >= span.start;
            if close
                && joined.end - joined.start <= SPAN
                && run.last().is_some_and(|last| last.pack == body.pack)
            {
                *span = joined;
                run.push(body);
                continue;
            }
        }
        runs.push((start..end, vec![body]));
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

fn verified(key: &str, address: &BodyAddress, body: Bytes) -> Result<Bytes, StoreError> {
    if body.len() as u64 == address.len && Checksum::of(&body) == address.checksum {
        Ok(body)
    } else {
        Err(corrupt(key, address.offset))
    }
}

fn corrupt(key: &str, offset: u64) -> StoreError {
    StoreError::caused(StoreErrorKind::Corrupt, key, format!("body at offset {offset}"))
}

/// A large body under way.
struct Reading {
    store: Arc<dyn ObjectStore>,
    key: String,
    at: u64,
    end: u64,
    checksum: Option<Checksum>,
    hasher: ChecksumHasher,
    resumptions: u32,
    source: Option<ByteStream>,
}

impl Reading {
    async fn open(&mut self) -> Result<(), StoreError> {
        self.source = Some(self.store.get_stream(&self.key, self.at..self.end).await?);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if self.at >= self.end {
                return self.finish();
            }
            let Some(source) = &mut self.source else {
                self.open().await?;
                continue;
            };
            match source.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.at += piece.len() as u64;
                    if self.checksum.is_some() {
                        self.hasher.update(&piece);
                    }
                    return Ok(Some(piece));
                }
                Some(Err(error)) if error.is_temporary() && self.resumptions < RESUMPTIONS => {
                    self.resumptions += 1;
                    self.source = None;
                }
                Some(Err(error)) => return Err(error),
                None => return Err(corrupt(&self.key, self.at)),
            }
        }
    }

    fn finish(&mut self) -> Result<Option<Bytes>, StoreError> {
        match self.checksum.take() {
            Some(wanted) if wanted != self.hasher.finish() => Err(corrupt(&self.key, self.end)),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use staffetta_chassis::spool::Spooled;

    use super::*;
    use crate::address::{PackId, PackName, WriterId};
    use crate::store::fault::{Faulty, Operation};
    use crate::store::memory::MemoryStore;

    struct Fixture {
        store: Arc<Faulty>,
        reader: PackReader,
        pack: PackName,
    }

    impl Fixture {
        async fn with(body: Bytes) -> Self {
            let store = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
            let prefix = Prefix::new("mail");
            let id = PackId::new(DateTime::UNIX_EPOCH);
            let pack = PackName { id, writer: WriterId::new("w") };
            store.put_stream(&pack.key(&prefix), &Spooled::from(body)).await.unwrap();
            Self { reader: PackReader::new(store.clone(), prefix), store, pack }
        }

        fn address(&self, offset: u64, body: &[u8]) -> BodyAddress {
            BodyAddress {
                pack: self.pack.clone(),
                offset,
                len: body.len() as u64,
                checksum: Checksum::of(body),
            }
        }
    }

    #[tokio::test]
    async fn neighbours_are_read_with_one_request_in_the_order_asked() {
        let fixture = Fixture::with(Bytes::from_static(b"onetwothree")).await;
        let [one, two, three] =
            [fixture.address(0, b"one"), fixture.address(3, b"two"), fixture.address(6, b"three")];
        let read: Vec<_> = fixture.reader.many(vec![three, one, two]).try_collect().await.unwrap();
        assert_eq!(read, ["three", "one", "two"]);
        assert_eq!(fixture.store.calls(Operation::Get), 1);
    }

    #[tokio::test]
    async fn damage_is_found() {
        let fixture = Fixture::with(Bytes::from_static(b"onetwo")).await;
        let wrong = fixture.address(1, b"one");
        assert_eq!(fixture.reader.whole(&wrong).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
        let beyond = fixture.address(3, b"twothree");
        assert_eq!(fixture.reader.whole(&beyond).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
        let error = fixture.reader.many(vec![wrong]).try_next().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn parts_of_small_bodies_come_out_of_the_verified_whole() {
        let fixture = Fixture::with(Bytes::from_static(b"xxhello")).await;
        let address = fixture.address(2, b"hello");
        for (range, wanted) in [(1..3, "el"), (0..99, "hello"), (5..9, ""), (9..12, "")] {
            let pieces: Vec<Bytes> =
                fixture.reader.stream(&address, range).await.unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), wanted.as_bytes());
        }
    }

    #[tokio::test]
    async fn large_bodies_are_verified_at_their_end() {
        let body: Bytes = vec![7; 3 << 20].into();
        let fixture = Fixture::with(body.clone()).await;
        let good = fixture.address(0, &body);
        let read: Vec<Bytes> =
            fixture.reader.stream(&good, 0..u64::MAX).await.unwrap().try_collect().await.unwrap();
        assert!(read.concat() == body);
        let mut bad = good.clone();
        bad.checksum = Checksum::of(b"other");
        let stream = fixture.reader.stream(&bad, 0..u64::MAX).await.unwrap();
        let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let part: Vec<Bytes> = fixture.reader.stream(&bad, 5..8).await.unwrap().try_collect().await.unwrap();
        assert_eq!(part.concat(), [7, 7, 7]);
    }
}
