//! The acceptance (DESIGN 6): the one step that makes a message durable. Only its success lets a 250 leave.
//!
//! All recipients local and on one shard: one delivery, all or nothing. Otherwise, on a refusal or an unknown
//! outcome: one queueing of all recipients. Both carry the transaction as their key, so both may be repeated
//! and both may happen: outbound's delivery of what is stored already stores nothing. Rounds of the two go on
//! until the budget for the reply is spent.

mod prefix;

pub use prefix::{Origin, Prefix};

use chrono::{DateTime, Utc};
use staffetta_chassis::clock::timeout;
use staffetta_chassis::spool::Spooled;
use staffetta_mailstore_api::{DeliverRequest, DeliveryTarget, MailstoreError};
use staffetta_outbound_api::{EnqueueRequest, QueueError};

use crate::error::Refusal;
use crate::policy::Policy;
use crate::ports::Shard;
use crate::session::Transaction;

/// A message that was received to its end and judged.
#[derive(Debug)]
pub struct Message<'a> {
    /// Its envelope.
    pub transaction: &'a Transaction,
    /// The octets as received.
    pub body: Spooled,
    /// Whether they are not all ASCII, whatever MAIL said: outbound must know what it sends.
    pub eight_bit: bool,
    /// What is written in front of them.
    pub prefix: Prefix,
    /// When the final dot came.
    pub received_at: DateTime<Utc>,
    /// Its trace, for outbound to continue.
    pub traceparent: Option<String>,
}

/// What has taken the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// mailstore: it is in every recipient's INBOX.
    Delivered,
    /// The queue: outbound will deliver it.
    Queued,
}

impl Taken {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "mailstore",
            Self::Queued => "queue",
        }
    }
}

/// Outcome of one call that did not succeed.
enum Failed {
    /// It may have happened; the same call may be repeated.
    Unknown,
    /// It did not happen, and repeating it is of no use.
    Definite,
}

impl Policy {
    /// Makes the message durable.
    ///
    /// # Errors
    /// `451` when neither mailstore nor the queue could say yes within the budget.
    pub async fn accept(&self, message: Message<'_>) -> Result<Taken, Refusal> {
        let deadline = self.clock.instant() + self.config.acceptance.data_reply_budget;
        let queued = message.enqueue_request();
        let mut delivery = self.direct(&message);
        let mut round = 0;
        loop {
            if let Some((shard, request)) = &delivery {
                match self.deliver(shard, request.clone()).await {
                    Ok(()) => return Ok(Taken::Delivered),
                    Err(Failed::Unknown) => {}
                    Err(Failed::Definite) => delivery = None,
                }
            }
            match self.enqueue(queued.clone()).await {
                Ok(()) => return Ok(Taken::Queued),
                Err(Failed::Definite) if delivery.is_none() => return Err(Refusal::away()),
                Err(Failed::Definite | Failed::Unknown) => {}
            }
            let pause = self.config.acceptance.backoff.delay(round);
            if self.clock.instant() + pause >= deadline {
                return Err(Refusal::away());
            }
            self.clock.sleep(pause).await;
            round += 1;
        }
    }

    /// The one delivery that would do, if there is one.
    fn direct(&self, message: &Message<'_>) -> Option<(Shard, DeliverRequest)> {
        let (name, targets) = message.transaction.one_shard()?;
        let Some(shard) = self.ports.shards.get(&name) else {
            tracing::error!(shard = %name, "no mailstore is configured for a shard, the message is queued");
            return None;
        };
        Some((shard.clone(), message.deliver_request(targets)))
    }

    async fn deliver(&self, shard: &Shard, request: DeliverRequest) -> Result<(), Failed> {
        let accounts: Vec<_> = request.targets.iter().map(|target| target.account).collect();
        let call = shard.delivery.deliver(request);
        match timeout(self.clock.as_ref(), self.config.acceptance.call, call).await {
            Ok(Ok(_)) => {
                self.forget_usage(accounts.into_iter()).await;
                Ok(())
            }
            Ok(Err(error)) if error.is_temporary() => {
                tracing::warn!(%error, "delivery failed, trying the queue");
                Err(Failed::Unknown)
            }
            Ok(Err(error)) => {
                if let MailstoreError::Refused { refusals } = &error {
                    tracing::info!(?refusals, "delivery refused, queueing the message");
                } else {
                    tracing::error!(%error, "delivery impossible, queueing the message");
                }
                Err(Failed::Definite)
            }
            Err(_elapsed) => {
                tracing::warn!("delivery took too long, trying the queue");
                Err(Failed::Unknown)
            }
        }
    }

    async fn enqueue(&self, request: EnqueueRequest) -> Result<(), Failed> {
        let call = self.ports.queue.enqueue(request);
        match timeout(self.clock.as_ref(), self.config.acceptance.call, call).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error @ (QueueError::Invalid { .. } | QueueError::PermissionDenied { .. }))) => {
                tracing::error!(%error, "the queue will never take this message");
                Err(Failed::Definite)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "queueing failed");
                Err(Failed::Unknown)
            }
            Err(_elapsed) => {
                tracing::warn!("queueing took too long");
                Err(Failed::Unknown)
            }
        }
    }
}

impl Message<'_> {
    /// All recipients are local, so this is the final delivery: it adds Return-Path (RFC 5321 4.4), the same for all.
    fn deliver_request(&self, targets: Vec<DeliveryTarget>) -> DeliverRequest {
        let prefix = self.prefix.with_return_path(self.transaction.sender());
        DeliverRequest {
            transaction: self.transaction.id(),
            targets,
            body: self.body.prepend(prefix.as_bytes()),
        }
    }

    fn enqueue_request(&self) -> EnqueueRequest {
        let recipients = self.transaction.recipients().iter().map(|recipient| recipient.address.clone());
        EnqueueRequest {
            transaction: self.transaction.id(),
            sender: self.transaction.sender().cloned(),
            recipients: recipients.collect(),
            eight_bit: self.eight_bit,
            received_at: self.received_at,
            traceparent: self.traceparent.clone(),
            body: self.body.prepend(self.prefix.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
