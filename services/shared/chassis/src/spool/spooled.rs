//! A complete body.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::CHUNK;
use super::budget::Share;
use super::writer::blocking;

/// A body that can be read again and again. Clones share the bytes.
#[derive(Clone)]
pub struct Spooled {
    prefix: Bytes,
    place: Place,
    len: u64,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<InMemory>),
    File(Arc<InFile>),
}

struct InMemory {
    chunks: Vec<Bytes>,
    _share: Option<Share>,
}

struct InFile {
    file: File,
    len: u64,
    _share: Share,
}

impl Spooled {
    pub(super) fn in_memory(chunks: Vec<Bytes>, share: Share) -> Self {
        Self::memory(chunks, Some(share))
    }

    pub(super) fn in_file(file: File, share: Share, len: u64) -> Self {
        let place = Place::File(Arc::new(InFile { file, len, _share: share }));
        Self { prefix: Bytes::new(), place, len }
    }

    fn memory(chunks: Vec<Bytes>, share: Option<Share>) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let place = Place::Memory(Arc::new(InMemory { chunks, _share: share }));
        Self { prefix: Bytes::new(), place, len }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The same body with `prefix` in front; the bytes are not copied. `prefix` is outside the budget: keep
    /// it small.
    #[must_use]
    pub fn prepend(&self, prefix: &[u8]) -> Self {
        let mut whole = BytesMut::with_capacity(prefix.len() + self.prefix.len());
        whole.extend_from_slice(prefix);
        whole.extend_from_slice(&self.prefix);
        Self { prefix: whole.freeze(), place: self.place.clone(), len: self.len + prefix.len() as u64 }
    }

    /// The body from its first byte, in chunks of at most [`CHUNK`] bytes, none empty.
    pub fn stream(&self) -> BoxStream<'static, io::Result<Bytes>> {
        let prefix = stream::iter(pieces(self.prefix.clone()).map(Ok));
        match &self.place {
            Place::Memory(body) => {
                let chunks = body.chunks.clone();
                // The body itself is held by the stream, so its share of the budget is too.
                let body = Arc::clone(body);
                prefix
                    .chain(stream::iter(chunks.into_iter().flat_map(pieces).map(move |piece| {
                        let _held = &body;
                        Ok(piece)
                    })))
                    .boxed()
            }
            Place::File(body) => prefix.chain(file_stream(Arc::clone(body))).boxed(),
        }
    }

    /// The chunks without waiting, when the body is in memory.
    pub fn in_memory_chunks(&self) -> Option<impl Iterator<Item = &Bytes>> {
        match &self.place {
            Place::Memory(body) => {
                Some(std::iter::once(&self.prefix).chain(&body.chunks).filter(|chunk| !chunk.is_empty()))
            }
            Place::File(_) => None,
        }
    }

    /// The whole body in one piece: for small bodies, or where all of it is needed at once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        if let Place::Memory(body) = &self.place
            && self.prefix.is_empty()
            && let [one] = body.chunks.as_slice()
        {
            return Ok(one.clone());
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(self.len).map_err(io::Error::other)?);
        let mut stream = self.stream();
        while let Some(chunk) = stream.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.freeze())
    }
}

impl From<Bytes> for Spooled {
    /// A body that is in memory already and belongs to no budget.
    fn from(bytes: Bytes) -> Self {
        let chunks = if bytes.is_empty() { Vec::new() } else { vec![bytes] };
        Self::memory(chunks, None)
    }
}

impl fmt::Debug for Spooled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::Memory(_) => "memory",
            Place::File(_) => "file",
        };
        out.debug_struct("Spooled").field("len", &self.len).field("in", &place).finish()
    }
}

fn pieces(mut chunk: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let piece = chunk.split_to(chunk.len().min(CHUNK));
        (!piece.is_empty()).then_some(piece)
    })
}

fn file_stream(body: Arc<InFile>) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((body, 0_u64), |(body, offset)| async move {
        let left = body.len - offset;
        if left == 0 {
            return Ok(None);
        }
        let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let reading = Arc::clone(&body);
        let chunk = blocking(move || {
            let mut chunk = vec![0; size];
            reading.file.read_exact_at(&mut chunk, offset)?;
            Ok(Bytes::from(chunk))
        })
        .await?;
        Ok(Some((chunk, (body, offset + size as u64))))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{SpoolBudget, SpoolConfig, SpoolError};
    use super::*;

    fn budget(memory_per_body: u64, memory_total: u64, folder_total: u64) -> SpoolBudget {
        SpoolBudget::new(&SpoolConfig { memory_per_body, memory_total, folder: None, folder_total })
    }

    async fn spool(budget: &SpoolBudget, pieces: &[Vec<u8>]) -> Result<Spooled, SpoolError> {
        let mut writer = budget.writer();
        for piece in pieces {
            writer.write(Bytes::from(piece.clone())).await?;
        }
        writer.finish().await
    }

    #[tokio::test]
    async fn a_small_body_stays_in_memory_and_returns_its_budget() {
        let budget = budget(1000, 2000, 0);
        let body = spool(&budget, &[vec![1; 300], vec![2; 700]]).await.unwrap();
        assert_eq!(budget.used(), (1000, 0));
        assert!(body.in_memory_chunks().is_some());
        let stream = body.stream();
        drop(body);
        assert_eq!(budget.used(), (1000, 0), "a stream still holds it");
        drop(stream);
        assert_eq!(budget.used(), (0, 0));
    }

    #[tokio::test]
    async fn a_large_body_goes_to_a_file_and_can_be_replayed_by_many() {
        let budget = budget(1000, 2000, 10_000_000);
        let piece: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let body = spool(&budget, &vec![piece.clone(); 20]).await.unwrap();
        assert_eq!((body.len(), budget.used()), (2_000_000, (0, 2_000_000)));
        let expected = piece.repeat(20);
        let (first, second) = tokio::join!(body.bytes(), body.bytes());
        assert!(first.unwrap() == expected && second.unwrap() == expected);
        let mut stream = body.stream();
        while let Some(chunk) = stream.next().await {
            assert!((1..=CHUNK).contains(&chunk.unwrap().len()));
        }
        drop((body, stream));
        assert_eq!(budget.used(), (0, 0));
    }

    #[tokio::test]
    async fn bodies_beyond_the_memory_total_go_to_files_and_beyond_those_are_refused() {
        let budget = budget(1000, 1500, 1000);
        let _first = spool(&budget, &[vec![1; 1000]]).await.unwrap();
        let second = spool(&budget, &[vec![2; 400], vec![3; 400]]).await.unwrap();
        assert_eq!(second.bytes().await.unwrap(), [vec![2; 400], vec![3; 400]].concat());
        assert_eq!(budget.used(), (1000, 800));
        let refused = spool(&budget, &[vec![4; 900]]).await.unwrap_err();
        assert!(matches!(refused, SpoolError::Full));
        assert_eq!(budget.used(), (1000, 800), "a refused body keeps nothing");
    }

    #[tokio::test]
    async fn a_prefix_is_read_first_and_leaves_the_body_alone() {
        let body = Spooled::from(Bytes::from(vec![b'x'; CHUNK + 1]));
        let traced = body.prepend(b"b").prepend(b"a");
        assert_eq!((traced.len(), body.len()), (CHUNK as u64 + 3, CHUNK as u64 + 1));
        assert!(traced.bytes().await.unwrap().starts_with(b"abx"));
        let lengths: Vec<usize> = traced.stream().map(|chunk| chunk.unwrap().len()).collect().await;
        assert_eq!(lengths, [2, CHUNK, 1]);
        assert!(Spooled::from(Bytes::new()).stream().next().await.is_none());
    }
}
