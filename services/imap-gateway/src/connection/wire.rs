//! The stream under a session: what is read and not decoded, what is written and not sent.

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use staffetta_chassis::clock::timeout;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::command::{Gateway, Output};
use crate::wire::decoder::{Decoder, Input};
use crate::wire::limits::Limits;
use crate::wire::response::{Code, Writer};

/// Room for a read between commands: most commands are shorter, and each idle session keeps it.
const READ: usize = 4 * 1024;

/// Room for a read while a message comes.
const READ_BULK: usize = 64 * 1024;

/// Why a session is over.
#[derive(Debug)]
pub(super) enum End {
    /// LOGOUT.
    Logout,
    /// The client closed the connection.
    Closed,
    /// The connection broke, or the client stopped reading.
    Broken(io::Error),
    /// We end it.
    Bye(Option<Code<'static>>, &'static str),
    /// The session goes on inside TLS.
    StartTls,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logout => f.write_str("logout"),
            Self::Closed => f.write_str("closed by client"),
            Self::Broken(error) => write!(f, "broken: {error}"),
            Self::Bye(_, text) => write!(f, "bye: {text}"),
            Self::StartTls => f.write_str("starttls"),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// The two directions of a connection.
#[derive(Debug)]
pub(super) struct Wire<'a, S> {
    gateway: &'a Gateway,
    stream: S,
    decoder: Decoder,
    out: BytesMut,
    received: u64,
    sent: u64,
    bulk: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Wire<'a, S> {
    /// At the start of a session.
    pub(super) fn new(stream: S, gateway: &'a Gateway) -> Self {
        let decoder = Decoder::new(Limits::before_login());
        Self { gateway, stream, decoder, out: BytesMut::new(), received: 0, sent: 0, bulk: false }
    }

    /// What is not sent yet.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// The decoder, for the commands that steer it.
    pub(super) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Limits for what comes next.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    /// Whether large reads are expected.
    pub(super) fn set_bulk(&mut self, bulk: bool) {
        self.bulk = bulk;
    }

    /// Octets received and sent.
    pub(super) fn traffic(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    /// The next input, if it is complete.
    pub(super) fn decode(&mut self) -> Option<Input> {
        self.decoder.decode()
    }

    /// Reads what is there. Safe to drop: nothing is lost.
    pub(super) async fn read(&mut self) -> Result<(), End> {
        let buffer = self.decoder.buffer();
        if buffer.is_empty() && buffer.capacity() > READ && !self.bulk {
            // A long command must not keep its room for the rest of the session.
            *buffer = BytesMut::new();
        }
        buffer.reserve(if self.bulk { READ_BULK } else { READ });
        match self.stream.read_buf(buffer).await? {
            0 => Err(End::Closed),
            count => {
                self.received += count as u64;
                Ok(())
            }
        }
    }

    /// Sends what is written.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        Ok(self.send().await?)
    }

    async fn send(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let Self { gateway, stream, out, .. } = self;
        self.sent += out.len() as u64;
        let write = async {
            while out.has_remaining() {
                stream.write_buf(out).await?;
            }
            stream.flush().await
        };
        let limit = gateway.settings.write_timeout;
        timeout(&*gateway.clock, limit, write)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))??;
        // Room for a long answer is given back, so that an idle session is small.
        *out = BytesMut::new();
        Ok(())
    }

    /// The stream without anything that was read in advance (RFC 3501 6.2.1).
    pub(super) fn into_plain(mut self) -> S {
        let discarded = self.decoder.discard_buffered();
        if discarded > 0 {
            tracing::warn!(discarded, "octets behind STARTTLS discarded");
        }
        self.stream
    }

    /// Says goodbye, if there is somebody to hear it, and closes.
    pub(super) async fn close(mut self, end: End) {
        if let End::Bye(code, text) = &end {
            Writer::new(&mut self.out).bye(code.as_ref(), text);
        }
        if !matches!(end, End::Broken(_)) && self.send().await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Output for Wire<'_, S> {
    fn buffer(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.send().await
    }
}
