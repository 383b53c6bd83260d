//! Octets in and out of a transport: batched writes, bounded waits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_chassis::clock::{Clock, timeout};
use staffetta_mailstore_api::MailstoreError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::transport::Transport;
use crate::wire::{DotStuffer, LineTooLong, next_line};

/// Responses are collected up to here before they are written.
const BATCH: usize = 64 * 1024;
/// A piece of a message at least this long is written as it is, without being copied into the batch.
const DIRECT: usize = 16 * 1024;
/// Room made before a read.
const READ: usize = 4 * 1024;

/// A transport with what was read and not yet used, and what is to be written.
pub(super) struct Wires<T> {
    transport: T,
    input: BytesMut,
    output: BytesMut,
    clock: Arc<dyn Clock>,
    write_limit: Duration,
}

/// A message could not be sent whole: the connection must be cut, so that the client does not take a part for all.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("message broke off: {0}")]
    Storage(#[from] MailstoreError),
}

impl<T: Transport> Wires<T> {
    pub(super) fn new(transport: T, clock: Arc<dyn Clock>, write_limit: Duration) -> Self {
        Self { transport, input: BytesMut::new(), output: BytesMut::new(), clock, write_limit }
    }

    /// Where responses are collected.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// A line that is there already.
    pub(super) fn buffered_line(&mut self, limit: usize) -> Result<Option<BytesMut>, LineTooLong> {
        next_line(&mut self.input, limit)
    }

    /// Reads more; false at the end of the stream. Cancel-safe.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        self.input.reserve(READ);
        Ok(self.transport.read_buf(&mut self.input).await? > 0)
    }

    /// Writes what was collected.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let batch = self.output.split();
        for piece in batch.chunks(BATCH) {
            self.write(piece).await?;
        }
        self.limited_flush().await
    }

    /// Writes what was collected if it is a whole batch.
    pub(super) async fn flush_batch(&mut self) -> io::Result<()> {
        if self.output.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    /// Sends a message, dot-stuffed and terminated; returns its octets. The end stays in the batch.
    pub(super) async fn send(
        &mut self,
        mut message: BoxStream<'static, Result<Bytes, MailstoreError>>,
    ) -> Result<u64, SendError> {
        let mut stuffer = DotStuffer::new();
        let mut octets = 0;
        while let Some(chunk) = message.next().await {
            let chunk = chunk?;
            octets += chunk.len() as u64;
            if !stuffer.passes(&chunk) {
                stuffer.stuff(&chunk, &mut self.output);
            } else if chunk.len() >= DIRECT {
                let batch = self.output.split();
                self.write(&batch).await?;
                for piece in chunk.chunks(BATCH) {
                    self.write(piece).await?;
                }
            } else {
                self.output.extend_from_slice(&chunk);
            }
            self.flush_batch().await?;
        }
        stuffer.finish(&mut self.output);
        Ok(octets)
    }

    /// Turns to TLS; what was read before is thrown away (RFC 2595 4: it may have been injected).
    pub(super) async fn start_tls(mut self) -> io::Result<Self> {
        self.flush().await?;
        let transport = self.transport.start_tls().await?;
        Ok(Self { transport, input: BytesMut::new(), ..self })
    }

    /// Says goodbye to the transport itself.
    pub(super) async fn shutdown(&mut self) {
        let closing = self.transport.shutdown();
        if let Ok(Err(error)) = timeout(&*self.clock, self.write_limit, closing).await {
            tracing::trace!(%error, "connection not closed in order");
        }
    }

    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        timeout(&*self.clock, self.write_limit, self.transport.write_all(piece))
            .await
            .map_err(|_| too_slow())?
    }

    async fn limited_flush(&mut self) -> io::Result<()> {
        timeout(&*self.clock, self.write_limit, self.transport.flush()).await.map_err(|_| too_slow())?
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client does not read")
}
