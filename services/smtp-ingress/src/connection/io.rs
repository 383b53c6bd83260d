//! Buffered lines over a connection, with time limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use staffetta_chassis::drain::Draining;
use staffetta_chassis::net::Connection;
use staffetta_chassis::tls::TlsServer;
use staffetta_smtp::line::{LineError, LineReader};
use staffetta_smtp::reply::Reply;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::Ended;
use crate::config::TimeoutsConfig;

/// Room for one read of commands: small, since idle sessions hold it.
const COMMAND_READ: usize = 2 * 1024;
/// Room for one read of a body.
const BODY_READ: usize = 64 * 1024;
/// Replies are sent at the latest when this much has gathered; a pipelining peer cannot make us hold more.
const MAX_PENDING_REPLIES: usize = 16 * 1024;

/// The connection with its buffers.
pub(super) struct Io {
    connection: Option<Connection>,
    pub(super) input: BytesMut,
    output: BytesMut,
    lines: LineReader,
    timeouts: TimeoutsConfig,
}

/// What waiting for a line has brought.
#[derive(Debug)]
pub(super) enum Waited {
    Line(Bytes),
    BadLine(LineError),
    TimedOut,
    Draining,
}

impl Io {
    pub(super) fn new(connection: Connection, timeouts: TimeoutsConfig) -> Self {
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { connection: Some(connection), input, output, lines: LineReader::new(), timeouts }
    }

    pub(super) fn connection(&self) -> Result<&Connection, Ended> {
        self.connection.as_ref().ok_or(Ended)
    }

    /// Adds a reply; it leaves with the next [`Io::flush`].
    pub(super) fn reply(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }

    /// The next line of at most `limit` octets. Replies are flushed before waiting for the peer. Once the drain has
    /// started, a silent peer is given up after `patience` (asked for only then).
    pub(super) async fn line(
        &mut self,
        limit: usize,
        draining: &Draining,
        patience: impl Fn() -> Duration,
    ) -> Result<Waited, Ended> {
        let deadline = Instant::now() + self.timeouts.command;
        loop {
            match self.lines.next_line(&mut self.input, limit) {
                Ok(Some(line)) => {
                    if self.output.len() >= MAX_PENDING_REPLIES {
                        self.flush().await?;
                    }
                    return Ok(Waited::Line(line));
                }
                Ok(None) => {}
                Err(error) => return Ok(Waited::BadLine(error)),
            }
            self.flush().await?;
            self.input.reserve(COMMAND_READ);
            let connection = self.connection.as_mut().ok_or(Ended)?;
            let told_to_go = async {
                draining.draining().await;
                tokio::time::sleep(patience()).await;
            };
            tokio::select! {
                biased;
                read = connection.read_buf(&mut self.input) => match read {
                    Ok(0) | Err(_) => return Err(Ended),
                    Ok(_) => {}
                },
                () = told_to_go => return Ok(Waited::Draining),
                () = tokio::time::sleep_until(deadline) => return Ok(Waited::TimedOut),
            }
        }
    }

    /// Reads more of a body into `input`; false when nothing came within `limit`.
    pub(super) async fn more(&mut self, limit: Duration) -> Result<bool, Ended> {
        self.input.reserve(BODY_READ);
        let connection = self.connection.as_mut().ok_or(Ended)?;
        match timeout(limit, connection.read_buf(&mut self.input)).await {
            Ok(Ok(0) | Err(_)) => Err(Ended),
            Ok(Ok(_)) => Ok(true),
            Err(_elapsed) => Ok(false),
        }
    }

    /// Sends what has gathered.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        if self.output.is_empty() {
            return Ok(());
        }
        let connection = self.connection.as_mut().ok_or(Ended)?;
        let output = &self.output;
        let writing = async {
            connection.write_all(output).await?;
            connection.flush().await
        };
        match timeout(self.timeouts.write, writing).await {
            Ok(Ok(())) => {
                self.output.clear();
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }

    /// Sends the replies, throws away whatever the peer sent ahead, and turns to TLS. The socket is not read in
    /// between, so octets that come later are part of the handshake or break it.
    pub(super) async fn start_tls(&mut self, tls: &TlsServer) -> Result<(), Ended> {
        self.input = BytesMut::new();
        self.lines = LineReader::new();
        self.flush().await?;
        let connection = self.connection.take().ok_or(Ended)?;
        match connection.start_tls(tls).await {
            Ok(connection) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%error, "TLS handshake failed");
                Err(Ended)
            }
        }
    }

    /// Sends the last reply and closes. Unread input would make the kernel reset the connection and the peer lose
    /// the reply, so it is read away for a moment.
    pub(super) async fn goodbye(&mut self) -> Result<(), Ended> {
        self.flush().await?;
        let mut connection = self.connection.take().ok_or(Ended)?;
        let input = &mut self.input;
        let closing = async {
            connection.shutdown().await?;
            loop {
                input.clear();
                input.reserve(COMMAND_READ);
                if connection.read_buf(input).await? == 0 {
                    return std::io::Result::Ok(());
                }
            }
        };
        let _ = timeout(self.timeouts.goodbye, closing).await;
        Ok(())
    }
}
