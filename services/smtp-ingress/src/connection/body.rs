//! DATA: receive, judge, accept, answer.

use bytes::BytesMut;
use memchr::memmem;
use staffetta_chassis::spool::{SpoolError, SpoolWriter, Spooled};
use staffetta_smtp::data::{BodyLimits, BodyProblem, DataReceiver};
use staffetta_smtp::reply::{EnhancedCode, Reply};
use tokio::time::Instant;
use tracing::Instrument;

use super::{Driver, Ended};
use crate::accept::{Message, Origin, Prefix, Taken};
use crate::error::Refusal;
use crate::policy::header::{self, Lacks};
use crate::session::Transaction;

/// A body that was read to its end.
pub(super) struct Incoming {
    pub(super) size: u64,
    body: Result<Spooled, Refusal>,
    header: BytesMut,
    eight_bit: bool,
}

impl Driver {
    /// Receives a message and answers its final dot. Whatever is not accepted gives its charge back.
    pub(super) async fn message(&mut self) -> Result<Reply, Ended> {
        let charge = self.charge.take();
        self.io.flush().await?;
        let started = self.server.policy.clock.instant();
        let incoming = self.receive().await?;
        let Some(transaction) = self.session.transaction() else { return Err(Ended) };
        let dot = self.server.policy.clock.instant();
        let size = incoming.size;
        let taken = Box::pin(self.settle(transaction, incoming)).await;
        let now = self.server.policy.clock.instant();
        self.report(transaction, size, &taken, now.duration_since(started), now.duration_since(dot));
        match taken {
            Ok(_) => {
                if let Some(charge) = charge {
                    charge.keep();
                }
                let text = format!("accepted as {}", transaction.id());
                Ok(Reply::new(250, EnhancedCode(2, 0, 0), text))
            }
            Err(refusal) => Ok(refusal.reply),
        }
    }

    /// Reads to the final dot, whatever is wrong with the message meanwhile: none of it may be taken for a command.
    async fn receive(&mut self) -> Result<Incoming, Ended> {
        let config = self.server.config.clone();
        let deadline = Instant::now() + config.timeouts.body;
        let mut receiver = DataReceiver::new(BodyLimits { size: config.body.size, line: config.body.line });
        let mut header = HeaderBlock::new(config.body.header);
        let mut eight_bit = false;
        let mut spool = Spool::Open(self.server.spool.writer());
        loop {
            if !self.io.input.is_empty() {
                let received = receiver.push(&mut self.io.input);
                header.push(&received.chunk);
                eight_bit |= !received.chunk.is_ascii();
                spool = match receiver.problem() {
                    Some(_) => Spool::Lost(None),
                    None => spool.write(received.chunk).await,
                };
                if received.ended {
                    break;
                }
            }
            let limit = config.timeouts.body_piece.min(deadline.saturating_duration_since(Instant::now()));
            if !self.io.more(limit).await? {
                return self.too_slow().await;
            }
        }
        let size = receiver.size();
        let body = match receiver.problem() {
            Some(problem) => Err(refusal(problem, config.body.size, config.body.line)),
            None if header.too_large => {
                let text = format!("header larger than {} octets", config.body.header);
                Err(Refusal::new("header_size", 552, EnhancedCode(5, 3, 4), text))
            }
            None => spool.finish().await,
        };
        Ok(Incoming { size, body, header: header.block, eight_bit })
    }

    async fn too_slow<T>(&mut self) -> Result<T, Ended> {
        let refusal = Refusal::new("slow", 421, EnhancedCode(4, 4, 2), "message took too long");
        self.refused("message", &refusal);
        self.goodbye(&refusal.reply).await?;
        Err(Ended)
    }

    /// Judges what was received and makes it durable.
    async fn settle(&self, transaction: &Transaction, incoming: Incoming) -> Result<Taken, Refusal> {
        let body = incoming.body?;
        let policy = &self.server.policy;
        let judging = policy.header(&incoming.header, self.session.account());
        let lacks = judging.instrument(self.span.clone()).await?;
        let (span, traceparent) = self.accept_span(&incoming.header);
        let received_at = policy.clock.now().into();
        let prefix = self.prefix(transaction, lacks, received_at)?;
        let eight_bit = incoming.eight_bit;
        let message = Message { transaction, body, eight_bit, prefix, received_at, traceparent };
        policy.accept(message).instrument(span).await
    }

    fn prefix(
        &self,
        transaction: &Transaction,
        lacks: Lacks,
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<Prefix, Refusal> {
        let Some(peer) = self.session.peer() else { return Err(Refusal::away()) };
        let recipient = match transaction.recipients() {
            [only] => Some(&only.address),
            _ => None,
        };
        let origin = Origin {
            helo: peer.client.as_str(),
            extended: peer.extended,
            authenticated: peer.account.is_some(),
            client: self.peer.client.ip(),
            tls: self.tls.as_deref(),
            hostname: &self.server.config.hostname,
            id: transaction.id(),
            recipient,
            at,
        };
        Ok(Prefix::new(&origin, lacks))
    }

    /// The span of the acceptance and its `traceparent`: part of the transaction's trace, or of the sending
    /// platform's where that is trusted.
    fn accept_span(&self, header: &[u8]) -> (tracing::Span, Option<String>) {
        let trusted = self.server.config.trace.accept_header && !self.role.authenticates();
        let foreign = if trusted { header::traceparent(header) } else { None };
        let span = match foreign {
            Some(parent) => {
                let span = tracing::info_span!(parent: None, "accept", role = self.role.name());
                staffetta_chassis::telemetry::continue_trace(&span, &parent);
                span
            }
            None => tracing::info_span!(parent: &self.span, "accept", role = self.role.name()),
        };
        let traceparent = staffetta_chassis::telemetry::traceparent(&span);
        (span, traceparent)
    }
}

fn refusal(problem: BodyProblem, size: u64, line: usize) -> Refusal {
    match problem {
        BodyProblem::BareLineBreak => Refusal::new(
            "bare_line_break",
            554,
            EnhancedCode(5, 6, 0),
            "message holds a bare CR or LF; lines must end with CRLF",
        ),
        BodyProblem::Nul => Refusal::new("nul", 554, EnhancedCode(5, 6, 0), "message holds a NUL octet"),
        BodyProblem::LineTooLong => {
            let text = format!("message has a line longer than {line} octets");
            Refusal::new("line_length", 554, EnhancedCode(5, 6, 0), text)
        }
        BodyProblem::TooLarge => Refusal { reason: "size", reply: crate::session::too_large(size) },
    }
}

/// The body on its way into the spool.
enum Spool {
    Open(SpoolWriter),
    Lost(Option<Refusal>),
}

impl Spool {
    async fn write(self, chunk: bytes::Bytes) -> Self {
        let Self::Open(mut writer) = self else { return self };
        if chunk.is_empty() {
            return Self::Open(writer);
        }
        match writer.write(chunk).await {
            Ok(()) => Self::Open(writer),
            Err(error) => Self::Lost(Some(spool_refusal(&error))),
        }
    }

    async fn finish(self) -> Result<Spooled, Refusal> {
        match self {
            Self::Open(writer) => writer.finish().await.map_err(|error| spool_refusal(&error)),
            Self::Lost(refusal) => Err(refusal.unwrap_or_else(Refusal::away)),
        }
    }
}

fn spool_refusal(error: &SpoolError) -> Refusal {
    tracing::warn!(%error, "a message could not be kept");
    Refusal::new("spool_full", 452, EnhancedCode(4, 3, 1), "no room for the message now, try again later")
}

/// The header block of a message, gathered while it passes by.
struct HeaderBlock {
    block: BytesMut,
    limit: usize,
    complete: bool,
    too_large: bool,
}

impl HeaderBlock {
    fn new(limit: usize) -> Self {
        Self { block: BytesMut::new(), limit, complete: false, too_large: false }
    }

    fn push(&mut self, chunk: &[u8]) {
        if self.complete || self.too_large {
            return;
        }
        let from = self.block.len().saturating_sub(3);
        // Two octets more than the limit: the empty line may follow the last field.
        let room = (self.limit + 2).saturating_sub(self.block.len());
        self.block.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if self.block.starts_with(b"\r\n") {
            self.block.clear();
            self.complete = true;
        } else if let Some(end) = memmem::find(&self.block[from..], b"\r\n\r\n") {
            self.block.truncate(from + end + 2);
            self.complete = true;
        } else if self.block.len() >= self.limit + 2 {
            self.block = BytesMut::new();
            self.too_large = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(text: &[u8], piece: usize, limit: usize) -> (Vec<u8>, bool) {
        let mut header = HeaderBlock::new(limit);
        text.chunks(piece).for_each(|chunk| header.push(chunk));
        (header.block.to_vec(), header.too_large)
    }

    #[test]
    fn the_header_ends_at_the_empty_line_at_any_split() {
        let text = b"From: a@b.test\r\nSubject: x\r\n\r\nbody\r\n\r\nmore";
        for piece in 1..text.len() {
            assert_eq!(gather(text, piece, 1_000), (b"From: a@b.test\r\nSubject: x\r\n".to_vec(), false));
            assert_eq!(gather(b"\r\nbody\r\n\r\n", piece, 1_000), (vec![], false), "no header at all");
            assert_eq!(gather(b"A: b\r\n", piece, 1_000), (b"A: b\r\n".to_vec(), false), "no body at all");
        }
    }

    #[test]
    fn a_header_beyond_the_limit_is_dropped() {
        for piece in [1, 7, 1_000] {
            assert_eq!(gather(&b"A: b\r\n".repeat(20), piece, 100), (vec![], true), "{piece}");
            assert!(!gather(b"A: b\r\n\r\nbody and body and body", piece, 6).1, "{piece}");
        }
    }
}
