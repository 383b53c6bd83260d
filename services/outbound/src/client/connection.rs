//! A connection that takes mail: drives [`Transaction`] over the socket.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt;
use staffetta_chassis::spool::Spooled;
use staffetta_smtp::capabilities::Capabilities;
use staffetta_smtp::data::DotStuffer;
use staffetta_smtp::reply::Severity;
use tokio::sync::OwnedSemaphorePermit;

use super::session::{EightBitPolicy, Envelope, Outcome, Transaction, TransactionStep};
use super::stream::ReplyStream;
use super::timeouts::Timeouts;

/// After a failed write: how long a server may take to tell why.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Guards the point of no return.
#[async_trait]
pub trait Fence: Send + Sync {
    /// Whether the message is still ours to send, asked right before the final dot.
    async fn confirm(&self) -> bool;
}

/// Why a message was not sent, through no fault of the server. The connection is not reusable.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Somebody else took the delivery over; nothing may be written about it.
    #[error("delivery lease is lost")]
    LeaseLost,
    /// The body could not be read from storage.
    #[error("body is not readable")]
    Body(#[source] io::Error),
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: ReplyStream,
    pub(super) host: String,
    pub(super) address: SocketAddr,
    pub(super) offered: Capabilities,
    pub(super) timeouts: Timeouts,
    pub(super) opened_at: Instant,
    pub(super) messages: u32,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// The server's host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Messages sent so far.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether TLS is up.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Protocol version and cipher of TLS.
    #[must_use]
    pub fn cipher(&self) -> Option<String> {
        self.stream.cipher()
    }

    /// The connection with its place among those to its address.
    #[must_use]
    pub fn holding(mut self, slot: OwnedSemaphorePermit) -> Self {
        self.permit = Some(slot);
        self
    }

    /// Sends one message. The connection may be used again when the outcome is not [`Outcome::lost`].
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        &mut self,
        envelope: &Envelope,
        body: &Spooled,
        policy: EightBitPolicy,
        fence: &dyn Fence,
    ) -> Result<Outcome, SendError> {
        let reset = self.messages > 0;
        self.messages += 1;
        let (mut machine, mut step) = Transaction::start(&self.host, envelope, &self.offered, policy, reset);
        loop {
            step = match step {
                TransactionStep::Finished(outcome) => return Ok(outcome),
                TransactionStep::Body => self.body(&mut machine, body, fence).await?,
                TransactionStep::Send(octets, phase) => {
                    let limit = self.timeouts.of(phase);
                    match self.stream.write(&octets, limit).await {
                        Ok(()) => match self.stream.reply(limit).await {
                            Ok(reply) => machine.on_reply(&reply),
                            Err(error) => TransactionStep::Finished(machine.on_lost(&error.to_string())),
                        },
                        Err(error) => self.last_words(&mut machine, &error).await,
                    }
                }
            };
        }
    }

    /// Says goodbye and closes.
    pub async fn quit(mut self) {
        let limit = self.timeouts.quit;
        if self.stream.write(b"QUIT\r\n", limit).await.is_ok() {
            let _ = self.stream.reply(limit).await;
        }
    }

    /// Sends the body; its last piece leaves together with the final dot, after the fence agreed.
    async fn body(
        &mut self,
        machine: &mut Transaction,
        body: &Spooled,
        fence: &dyn Fence,
    ) -> Result<TransactionStep, SendError> {
        let mut chunks = body.stream();
        let mut stuffer = DotStuffer::new();
        let mut out = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(SendError::Body)?;
            if let Err(error) = self.stream.write(&out, self.timeouts.block).await {
                return Ok(self.last_words(machine, &error).await);
            }
            out.clear();
            stuffer.push(&chunk, &mut out);
        }
        stuffer.finish(&mut out);
        if !fence.confirm().await {
            return Err(SendError::LeaseLost);
        }
        // From here on the outcome is unknown until the reply, also when the write itself fails.
        let step = machine.on_body_sent();
        match self.stream.write(&out, self.timeouts.block).await {
            Ok(()) => Ok(step),
            Err(error) => Ok(self.last_words(machine, &error).await),
        }
    }

    /// A server that closes in the middle of a body has usually said why; that is a better result than a broken pipe.
    async fn last_words(&mut self, machine: &mut Transaction, error: &io::Error) -> TransactionStep {
        let outcome = match self.stream.reply(LAST_WORDS).await {
            Ok(reply) if matches!(reply.severity(), Severity::Permanent | Severity::Transient) => {
                match machine.on_reply(&reply) {
                    TransactionStep::Finished(outcome) => {
                        let lost = machine.on_lost(&error.to_string()).lost;
                        Outcome { lost: outcome.lost.or(lost), ..outcome }
                    }
                    TransactionStep::Send(..) | TransactionStep::Body => machine.on_lost(&reply.to_string()),
                }
            }
            _ => machine.on_lost(&error.to_string()),
        };
        TransactionStep::Finished(outcome)
    }
}
