//! Receiving a body.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use super::budget::Share;
use super::{CHUNK, SpoolBudget, SpoolError, Spooled};

/// Pieces at least this long are kept as they come; shorter ones are copied together.
const KEEP_AS_IT_IS: usize = 32 * 1024;

/// Takes a body piece by piece. Dropping it gives everything back.
#[derive(Debug)]
pub struct SpoolWriter {
    budget: SpoolBudget,
    memory: Share,
    chunks: Vec<Bytes>,
    tail: BytesMut,
    file: Option<(File, Share)>,
    len: u64,
}

impl SpoolWriter {
    pub(super) fn new(budget: SpoolBudget) -> Self {
        let memory = budget.memory();
        Self { budget, memory, chunks: Vec::new(), tail: BytesMut::new(), file: None, len: 0 }
    }

    /// How many bytes were written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `piece`. Waits for the disk only when the body is in a file.
    ///
    /// # Errors
    /// [`SpoolError::Full`] or a failing folder; the writer is then of no more use.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), SpoolError> {
        let added = piece.len() as u64;
        if self.file.is_none() {
            let fits = self.len + added <= self.budget.memory_per_body();
            if !(fits && self.memory.grow(added)) {
                self.spill().await?;
            }
        }
        if let Some((_, share)) = &mut self.file
            && !share.grow(added)
        {
            return Err(SpoolError::Full);
        }
        self.len += added;
        self.keep(piece);
        if self.file.is_some() && self.pending() >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    /// The body, complete.
    ///
    /// # Errors
    /// The last bytes could not be written to the file.
    pub async fn finish(mut self) -> Result<Spooled, SpoolError> {
        if self.file.is_some() {
            self.flush().await?;
        }
        self.close_tail();
        Ok(match self.file {
            Some((file, share)) => Spooled::in_file(file, share, self.len),
            None => Spooled::in_memory(self.chunks, self.memory),
        })
    }

    fn keep(&mut self, piece: Bytes) {
        if piece.len() >= KEEP_AS_IT_IS {
            self.close_tail();
            self.chunks.push(piece);
            return;
        }
        // A small piece may pin a large network buffer, so it is copied.
        self.tail.extend_from_slice(&piece);
        if self.tail.len() >= CHUNK / 4 {
            self.close_tail();
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push(self.tail.split().freeze());
        }
    }

    fn pending(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum::<usize>() + self.tail.len()
    }

    /// Moves the body from memory to a new file.
    async fn spill(&mut self) -> Result<(), SpoolError> {
        let mut share = self.budget.files();
        if !share.grow(self.len) {
            return Err(SpoolError::Full);
        }
        let folder: PathBuf = self.budget.folder().to_owned();
        let file = blocking(move || tempfile::tempfile_in(folder)).await?;
        self.file = Some((file, share));
        self.flush().await?;
        self.memory = self.budget.memory();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        self.close_tail();
        let chunks = std::mem::take(&mut self.chunks);
        let Some((file, share)) = self.file.take() else { return Ok(()) };
        let file = blocking(move || {
            let mut file = file;
            chunks.iter().try_for_each(|chunk| file.write_all(chunk))?;
            Ok(file)
        })
        .await?;
        self.file = Some((file, share));
        Ok(())
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
