//! What the fake remembers, and what administrators do with it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use staffetta_chassis::spool::Spooled;
use staffetta_message::address::{Address, Domain};
use uuid::Uuid;

use crate::{
    AttemptRecord, EnqueueRequest, QueueError, QueueFilter, QueueStats, QueuedMessage, QueuedRecipient,
    RecipientStatus, RemoteReply, TransactionId,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) messages: BTreeMap<TransactionId, Message>,
    pub(super) deliveries: HashMap<Uuid, Delivery>,
    pub(super) suspended: HashMap<Domain, DateTime<Utc>>,
    /// When each destination was last served, as a running number: the longest unserved goes first.
    pub(super) served: HashMap<Domain, i64>,
    pub(super) last_token: i64,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) sender: Option<Address>,
    pub(super) eight_bit: bool,
    pub(super) received_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) traceparent: Option<String>,
    pub(super) body: Spooled,
    pub(super) recipients: Vec<Recipient>,
    pub(super) attempts: Vec<AttemptRecord>,
}

#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) address: Address,
    pub(super) status: RecipientStatus,
    pub(super) last_reply: Option<RemoteReply>,
    pub(super) attempts: u32,
}

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) transaction: TransactionId,
    pub(super) domain: Domain,
    pub(super) next_attempt_at: DateTime<Utc>,
    pub(super) attempts: u32,
    pub(super) delay_notified: bool,
    pub(super) token: i64,
    pub(super) leased_until: Option<DateTime<Utc>>,
}

impl Delivery {
    pub(super) fn is_leased(&self, now: DateTime<Utc>) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }

    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.next_attempt_at <= now && !self.is_leased(now)
    }
}

impl Message {
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, &Recipient)> {
        self.recipients.iter().enumerate().filter(|(_, r)| r.status == RecipientStatus::Waiting)
    }

    fn is_finished(&self) -> bool {
        self.waiting().next().is_none()
    }
}

impl State {
    /// Queues the message unless its transaction is known; `false` if it is.
    pub(super) fn insert(
        &mut self,
        request: EnqueueRequest,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> bool {
        if self.messages.contains_key(&request.transaction) {
            return false;
        }
        let mut domains: Vec<Domain> = request.recipients.iter().map(|a| a.domain().clone()).collect();
        domains.sort();
        domains.dedup();
        for domain in domains {
            let delivery = Delivery {
                transaction: request.transaction,
                domain,
                next_attempt_at: now,
                attempts: 0,
                delay_notified: false,
                token: 0,
                leased_until: None,
            };
            self.deliveries.insert(Uuid::new_v4(), delivery);
        }
        let recipient =
            |address| Recipient { address, status: RecipientStatus::Waiting, last_reply: None, attempts: 0 };
        let message = Message {
            sender: request.sender,
            eight_bit: request.eight_bit,
            received_at: request.received_at,
            expires_at: request.received_at + lifetime,
            traceparent: request.traceparent,
            body: request.body,
            recipients: request.recipients.into_iter().map(recipient).collect(),
            attempts: Vec::new(),
        };
        self.messages.insert(request.transaction, message);
        true
    }

    pub(super) fn list(&self, filter: &QueueFilter) -> Vec<QueuedMessage> {
        let wanted = |message: &Message| {
            filter.sender.as_ref().is_none_or(|sender| message.sender.as_ref() == Some(sender))
                && filter
                    .recipient_domain
                    .as_ref()
                    .is_none_or(|domain| message.recipients.iter().any(|r| r.address.domain() == domain))
        };
        self.messages
            .iter()
            .filter(|(id, message)| {
                filter.after.is_none_or(|after| **id > after) && !message.is_finished() && wanted(message)
            })
            .take(filter.limit.min(QueueFilter::MAX_LIMIT) as usize)
            .map(|(id, message)| QueuedMessage { attempts: Vec::new(), ..self.describe(*id, message) })
            .collect()
    }

    pub(super) fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
        self.message(transaction).map(|message| self.describe(transaction, message))
    }

    pub(super) fn body(&self, transaction: TransactionId) -> Result<Spooled, QueueError> {
        self.message(transaction).map(|message| message.body.clone())
    }

    pub(super) fn retry(
        &mut self,
        transaction: Option<TransactionId>,
        now: DateTime<Utc>,
    ) -> Result<u64, QueueError> {
        if let Some(transaction) = transaction {
            self.message(transaction)?;
        }
        let mut hurried = 0;
        for delivery in self.deliveries.values_mut() {
            if transaction.is_none_or(|id| id == delivery.transaction) && !delivery.is_leased(now) {
                delivery.next_attempt_at = delivery.next_attempt_at.min(now);
                self.suspended.remove(&delivery.domain);
                hurried += 1;
            }
        }
        Ok(hurried)
    }

    pub(super) fn cancel(
        &mut self,
        transaction: TransactionId,
        now: DateTime<Utc>,
    ) -> Result<u64, QueueError> {
        self.message(transaction)?;
        let idle: Vec<Uuid> = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.transaction == transaction && !delivery.is_leased(now))
            .map(|(id, _)| *id)
            .collect();
        let mut cancelled = 0;
        for id in idle {
            let Some(delivery) = self.deliveries.remove(&id) else { continue };
            let Some(message) = self.messages.get_mut(&transaction) else { continue };
            for recipient in &mut message.recipients {
                if recipient.address.domain() == &delivery.domain
                    && recipient.status == RecipientStatus::Waiting
                {
                    recipient.status = RecipientStatus::Cancelled;
                    cancelled += 1;
                }
            }
        }
        Ok(cancelled)
    }

    pub(super) fn stats(&self, now: DateTime<Utc>) -> QueueStats {
        let waiting: Vec<&Message> =
            self.messages.values().filter(|message| !message.is_finished()).collect();
        let oldest = waiting.iter().map(|message| message.received_at).min();
        let count = |matches: &dyn Fn(&Delivery) -> bool| {
            self.deliveries.values().filter(|delivery| matches(delivery)).count() as u64
        };
        QueueStats {
            messages: waiting.len() as u64,
            recipients: waiting.iter().map(|message| message.waiting().count() as u64).sum(),
            due: count(&|delivery| delivery.is_due(now)),
            in_flight: count(&|delivery| delivery.is_leased(now)),
            oldest_age: oldest.and_then(|oldest| (now - oldest).to_std().ok()).unwrap_or_default(),
        }
    }

    fn message(&self, transaction: TransactionId) -> Result<&Message, QueueError> {
        self.messages.get(&transaction).ok_or_else(|| unknown(transaction))
    }

    fn describe(&self, transaction: TransactionId, message: &Message) -> QueuedMessage {
        let next_attempt_at = |recipient: &Recipient| {
            self.deliveries
                .values()
                .filter(|_| recipient.status == RecipientStatus::Waiting)
                .find(|d| d.transaction == transaction && &d.domain == recipient.address.domain())
                .map(|delivery| delivery.next_attempt_at)
        };
        QueuedMessage {
            transaction,
            sender: message.sender.clone(),
            size: message.body.len(),
            received_at: message.received_at,
            expires_at: message.expires_at,
            recipients: message
                .recipients
                .iter()
                .map(|recipient| QueuedRecipient {
                    address: recipient.address.clone(),
                    status: recipient.status,
                    last_reply: recipient.last_reply.clone(),
                    attempts: recipient.attempts,
                    next_attempt_at: next_attempt_at(recipient),
                })
                .collect(),
            attempts: message.attempts.clone(),
        }
    }
}

pub(super) fn unknown(transaction: TransactionId) -> QueueError {
    QueueError::NotFound { what: format!("transaction {transaction}") }
}
