use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Charge, MemoryDirectory};
use crate::{BudgetCharge, BudgetOutcome, Budgets, DirectoryError, SendingBudget, lookup};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[async_trait]
impl Budgets for MemoryDirectory {
    async fn charge(&self, charge: &BudgetCharge) -> Result<BudgetOutcome, DirectoryError> {
        let now = self.shared.clock.now();
        let mut state = self.state();
        if state.charges.iter().any(|known| known.transaction == charge.transaction) {
            return Ok(BudgetOutcome::Charged);
        }
        let sender = charge.sender.as_ref().map(|sender| lookup::fold(sender).to_string());
        let own = state.accounts.get(&charge.account);
        let limits = own.and_then(|entry| entry.account.budget).unwrap_or(self.shared.settings.budget);
        let name = own.map(|entry| entry.account.address.to_string()).unwrap_or_default();
        let by_account = state.charges.iter().filter(|known| known.account == charge.account);
        let mut exceeded =
            excess(&limits, by_account, charge.recipients, now).map(|(what, after)| (what, name, after));
        if let Some(sender) = &sender {
            let by_sender = state.charges.iter().filter(|known| known.sender.as_ref() == Some(sender));
            let more = excess(&limits, by_sender, charge.recipients, now);
            exceeded = exceeded.max_by_after(more.map(|(what, after)| (what, sender.clone(), after)));
        }
        if let Some((what, name, retry_after)) = exceeded {
            return Ok(BudgetOutcome::Exceeded { reason: format!("{what} for {name}"), retry_after });
        }
        let (transaction, account, recipients) = (charge.transaction, charge.account, charge.recipients);
        state.charges.push(Charge { transaction, account, sender, recipients, at: now });
        Ok(BudgetOutcome::Charged)
    }

    async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError> {
        self.state().charges.retain(|charge| charge.transaction != transaction);
        Ok(())
    }
}

trait Later {
    fn max_by_after(self, other: Self) -> Self;
}

impl Later for Option<(String, String, Duration)> {
    fn max_by_after(self, other: Self) -> Self {
        [self, other].into_iter().flatten().max_by_key(|(_, _, after)| *after)
    }
}

/// The limit that is exceeded for the longest, and for how long.
fn excess<'a>(
    limits: &SendingBudget,
    charges: impl Iterator<Item = &'a Charge>,
    recipients: u32,
    now: SystemTime,
) -> Option<(String, Duration)> {
    let charges: Vec<&Charge> = charges.collect();
    let windows = [
        (limits.messages_per_hour, HOUR, "messages per hour", 1, false),
        (limits.messages_per_day, DAY, "messages per day", 1, false),
        (limits.recipients_per_hour, HOUR, "recipients per hour", recipients, true),
        (limits.recipients_per_day, DAY, "recipients per day", recipients, true),
    ];
    let excess = |(limit, window, what, cost, by_recipient): (u32, Duration, &str, u32, bool)| {
        let weight = |charge: &Charge| u64::from(if by_recipient { charge.recipients } else { 1 });
        let (cost, limit) = (u64::from(cost), u64::from(limit));
        let inside: Vec<(Duration, u64)> = charges
            .iter()
            .filter_map(|charge| Some(((charge.at + window).duration_since(now).ok()?, weight(charge))))
            .filter(|(left, _)| *left > Duration::ZERO)
            .collect();
        let mut used: u64 = inside.iter().map(|(_, weight)| weight).sum();
        let mut after = None;
        for (left, weight) in inside {
            if used + cost <= limit {
                break;
            }
            used -= weight;
            after = Some(left);
        }
        let fits_never = cost > limit;
        let over = limit != 0 && (after.is_some() || fits_never);
        over.then(|| (format!("{limit} {what}"), if fits_never { window } else { after.unwrap_or(window) }))
    };
    windows.into_iter().filter_map(excess).max_by_key(|(_, after)| *after)
}
