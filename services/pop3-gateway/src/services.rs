//! What every session of a gateway shares.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use staffetta_chassis::clock::Clock;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::{AccountId, Authentication};
use staffetta_mailstore_api::Shards;

use crate::config::{LimitsConfig, TimeoutsConfig};
use crate::metrics::Metrics;

/// Ports and limits.
pub struct Services {
    /// Checks passwords.
    pub authentication: Arc<dyn Authentication>,
    /// The mailstore of each shard.
    pub shards: Arc<dyn Shards>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub limits: LimitsConfig,
    /// Waits.
    pub timeouts: TimeoutsConfig,
    /// Instruments.
    pub metrics: Metrics,
    /// Background work of sessions.
    pub tasks: Tasks,
    /// Sessions by account.
    pub sessions: Arc<Sessions>,
}

/// Counts the sessions of each account on this pod.
#[derive(Debug, Default)]
pub struct Sessions {
    counts: Mutex<HashMap<AccountId, u32>>,
}

/// One counted session; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    sessions: Arc<Sessions>,
    account: AccountId,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("shards", &self.shards.names()).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Room for one more session of the account, if it has fewer than `limit`.
    pub fn enter(self: &Arc<Self>, account: AccountId, limit: u32) -> Option<Permit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Permit { sessions: Arc::clone(self), account })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.sessions.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_room_for_its_limit_and_again_after_a_session_ended() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.enter(AccountId(1), 1).unwrap();
        assert!(sessions.enter(AccountId(1), 1).is_none());
        assert!(sessions.enter(AccountId(2), 1).is_some());
        drop(first);
        assert!(sessions.enter(AccountId(1), 1).is_some());
    }
}
