//! Leases of the fake.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use staffetta_message::address::Domain;
use uuid::Uuid;

use super::delta;
use super::state::State;
use crate::{Claim, ClaimRequest, ClaimedDelivery, Destination, Lease, QueueError, RecipientId};

/// When a delivery is due, and which.
type Due = (DateTime<Utc>, Uuid);

impl State {
    pub(super) fn claim(&mut self, request: &ClaimRequest, now: DateTime<Utc>) -> Claim {
        let mut deliveries = Vec::new();
        for id in self.pick(request, now) {
            self.last_token += 1;
            let token = self.last_token;
            let Some(delivery) = self.deliveries.get_mut(&id) else { continue };
            delivery.token = token;
            delivery.leased_until = Some(now + delta(request.lease));
            self.served.insert(delivery.domain.clone(), token);
            deliveries.extend(self.claimed(Lease { delivery: id, token }));
        }
        deliveries.sort_by_key(|delivery| (delivery.received_at, delivery.transaction));
        Claim { deliveries }
    }

    pub(super) fn renew(
        &mut self,
        lease: &Lease,
        now: DateTime<Utc>,
        duration: TimeDelta,
    ) -> Result<(), QueueError> {
        match self.deliveries.get_mut(&lease.delivery) {
            Some(delivery) if delivery.token == lease.token && delivery.is_leased(now) => {
                delivery.leased_until = Some(now + duration);
                Ok(())
            }
            _ => Err(QueueError::LeaseLost),
        }
    }

    pub(super) fn release(&mut self, leases: &[Lease]) {
        for lease in leases {
            if let Some(delivery) = self.deliveries.get_mut(&lease.delivery)
                && delivery.token == lease.token
            {
                delivery.leased_until = None;
            }
        }
    }

    /// When something may be claimable next.
    pub(super) fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.deliveries
            .values()
            .map(|delivery| {
                let due =
                    delivery.next_attempt_at.max(delivery.leased_until.unwrap_or(delivery.next_attempt_at));
                due.max(self.suspended.get(&delivery.domain).copied().unwrap_or(due)).max(now)
            })
            .min()
    }

    /// One delivery of each destination in turn, longest unserved destination first.
    fn pick(&self, request: &ClaimRequest, now: DateTime<Utc>) -> Vec<Uuid> {
        let mut in_flight: HashMap<&Domain, usize> = HashMap::new();
        let mut due: BTreeMap<(i64, &Domain), Vec<Due>> = BTreeMap::new();
        for (id, delivery) in &self.deliveries {
            if delivery.is_leased(now) {
                *in_flight.entry(&delivery.domain).or_default() += 1;
            }
            let suspended = self.suspended.get(&delivery.domain).is_some_and(|until| *until > now);
            if delivery.is_due(now) && !suspended {
                let served = self.served.get(&delivery.domain).copied().unwrap_or_default();
                due.entry((served, &delivery.domain)).or_default().push((delivery.next_attempt_at, *id));
            }
        }
        let mut turns: Vec<(usize, Uuid)> = Vec::new();
        for ((_, domain), mut waiting) in due {
            waiting.sort_unstable();
            let busy = in_flight.get(domain).copied().unwrap_or_default();
            let room = (request.per_destination as usize).saturating_sub(busy);
            turns.extend(waiting.into_iter().take(room).enumerate().map(|(turn, (_, id))| (turn, id)));
        }
        turns.sort_by_key(|(turn, _)| *turn);
        turns.into_iter().take(request.limit as usize).map(|(_, id)| id).collect()
    }

    fn claimed(&self, lease: Lease) -> Option<ClaimedDelivery> {
        let delivery = self.deliveries.get(&lease.delivery)?;
        let message = self.messages.get(&delivery.transaction)?;
        Some(ClaimedDelivery {
            lease,
            transaction: delivery.transaction,
            sender: message.sender.clone(),
            destination: Destination { domain: delivery.domain.clone() },
            recipients: message
                .waiting()
                .filter(|(_, recipient)| recipient.address.domain() == &delivery.domain)
                .map(|(index, recipient)| (id_of(index), recipient.address.clone()))
                .collect(),
            eight_bit: message.eight_bit,
            size: message.body.len(),
            received_at: message.received_at,
            expires_at: message.expires_at,
            attempts: delivery.attempts,
            delay_notified: delivery.delay_notified,
            traceparent: message.traceparent.clone(),
        })
    }
}

pub(super) fn id_of(index: usize) -> RecipientId {
    RecipientId(i32::try_from(index).unwrap_or(i32::MAX))
}
