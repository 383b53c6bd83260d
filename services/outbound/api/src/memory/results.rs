//! Settling in the fake.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::id_of;
use super::delta;
use super::state::{State, unknown};
use crate::{
    AttemptRecord, EnqueueRequest, QueueError, RecipientResult, RecipientStatus, Settlement, TransactionId,
    Verdict,
};

impl State {
    pub(super) fn settle(
        &mut self,
        settlement: Settlement,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> Result<(), QueueError> {
        let lease = settlement.lease;
        let (transaction, domain) = match self.deliveries.get(&lease.delivery) {
            Some(d) if d.token == lease.token && d.leased_until.is_some() => {
                (d.transaction, d.domain.clone())
            }
            _ => return Err(QueueError::LeaseLost),
        };
        self.record(transaction, &settlement)?;
        if let Some(pause) = settlement.suspend {
            self.suspended.insert(domain.clone(), now + delta(pause));
        }
        let still_waiting = self.messages.get(&transaction).is_some_and(|message| {
            message.waiting().any(|(_, recipient)| recipient.address.domain() == &domain)
        });
        if still_waiting {
            if let Some(delivery) = self.deliveries.get_mut(&lease.delivery) {
                delivery.leased_until = None;
                delivery.attempts += 1;
                delivery.delay_notified |= settlement.delay_notified;
                delivery.next_attempt_at = now + delta(settlement.retry_after);
            }
        } else {
            self.deliveries.remove(&lease.delivery);
        }
        for notice in settlement.notices {
            let request = EnqueueRequest {
                transaction: notice.transaction,
                sender: None,
                recipients: vec![notice.recipient],
                eight_bit: false,
                received_at: now,
                traceparent: None,
                body: notice.body.into(),
            };
            self.insert(request, now, lifetime);
        }
        Ok(())
    }

    fn record(&mut self, transaction: TransactionId, settlement: &Settlement) -> Result<(), QueueError> {
        let lease = &settlement.lease;
        let domain = self.deliveries.get(&lease.delivery).map(|delivery| delivery.domain.clone());
        let message = self.messages.get_mut(&transaction).ok_or_else(|| unknown(transaction))?;
        let results: HashMap<_, &RecipientResult> =
            settlement.results.iter().map(|result| (result.recipient, result)).collect();
        let expected: Vec<usize> = message
            .waiting()
            .filter(|(_, recipient)| Some(recipient.address.domain()) == domain.as_ref())
            .map(|(index, _)| index)
            .collect();
        let complete = expected.iter().all(|index| results.contains_key(&id_of(*index)));
        if !complete || expected.len() != settlement.results.len() {
            let message = "a settlement needs one result for each recipient of its delivery".to_owned();
            return Err(QueueError::Invalid { message });
        }
        let mut replies = Vec::new();
        for index in expected {
            let (Some(recipient), Some(result)) =
                (message.recipients.get_mut(index), results.get(&id_of(index)))
            else {
                continue;
            };
            recipient.attempts += 1;
            recipient.last_reply = Some(result.reply.clone());
            recipient.status = match result.verdict {
                Verdict::Delivered => RecipientStatus::Delivered,
                Verdict::Deferred => RecipientStatus::Waiting,
                Verdict::Failed => RecipientStatus::Failed,
            };
            replies.push((recipient.address.clone(), result.reply.clone()));
        }
        message.attempts.push(AttemptRecord {
            started_at: settlement.started_at,
            elapsed: settlement.elapsed,
            destination: settlement.destination.clone(),
            replies,
        });
        Ok(())
    }
}
