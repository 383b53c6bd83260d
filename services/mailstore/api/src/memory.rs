//! An in-memory mailstore: what gateways and services are tested on.
//!
//! It follows every rule of the ports (the contract suite says so), takes time from the clock it is given, and can be told to
//! fail ([`MemoryMailstore::fail_with`]). Handles are clones of one store, as pods of one shard are.

mod accounts;
mod bodies;
mod delivery;
mod mailboxes;
mod maildrops;
mod messages;
mod search;
mod state;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staffetta_chassis::clock::Clock;
use staffetta_directory_api::AccountId;
use tokio::sync::broadcast;

use self::state::{Account, State};
use self::watch::Change;
use crate::{Access, MailstoreError};

/// Bounds of a [`MemoryMailstore`]; tests make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Expunges that each mailbox's journal keeps; older cursors get `full` deltas.
    pub journal: usize,
    /// Mailboxes of one account.
    pub mailboxes: usize,
    /// Different keywords of one account.
    pub keywords: usize,
    /// Largest message in octets.
    pub message_size: u64,
    /// Messages that one call of purge removes.
    pub purge_chunk: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            journal: 10_000,
            mailboxes: 1_000,
            keywords: 500,
            message_size: 64 * 1024 * 1024,
            purge_chunk: 100,
        }
    }
}

/// A mailstore in memory; clones share everything.
#[derive(Clone)]
pub struct MemoryMailstore {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    limits: MemoryLimits,
    state: Mutex<State>,
    fault: Mutex<Option<MailstoreError>>,
    changes: broadcast::Sender<Change>,
}

impl MemoryMailstore {
    /// An empty store with default limits.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_limits(clock, MemoryLimits::default())
    }

    /// An empty store.
    #[must_use]
    pub fn with_limits(clock: Arc<dyn Clock>, limits: MemoryLimits) -> Self {
        let (changes, _) = broadcast::channel(1024);
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { clock, limits, state, fault: Mutex::new(None), changes }) }
    }

    /// From now on every call fails with `fault`; `None` heals the store. Open streams go on.
    pub fn fail_with(&self, fault: Option<MailstoreError>) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Empties the expunge journals of an account: cursors from before now get `full` deltas.
    pub fn forget_expunged(&self, account: AccountId) {
        if let Some(account) = self.state().accounts.get_mut(&account) {
            for mailbox in account.mailboxes.values_mut() {
                mailbox.trim_journal(0);
            }
        }
    }

    fn healthy(&self) -> Result<(), MailstoreError> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall clock in seconds, as UIDVALIDITY counts.
    fn unix(&self) -> u32 {
        u32::try_from(self.shared.clock.unix_seconds()).unwrap_or(u32::MAX)
    }

    /// Runs `work` on the account under the store's lock (made on first use), then announces what it touched. `work` must
    /// check before it changes: what it changed stays, whatever it answers.
    fn with_account<T>(
        &self,
        access: &Access,
        work: impl FnOnce(&mut Account) -> Result<T, MailstoreError>,
    ) -> Result<T, MailstoreError> {
        self.healthy()?;
        let mut state = self.state();
        let account = state.enter(access.account, access.epoch, self.unix())?;
        let result = work(account);
        self.announce(access.account, account);
        result
    }

    /// Tells watchers of the mailboxes touched since the last call.
    fn announce(&self, id: AccountId, account: &mut Account) {
        for mailbox in account.take_touched() {
            // Nobody watching is no error.
            let _ =
                self.shared.changes.send(Change::Changed { account: id, mailbox, modseq: account.modseq });
        }
    }
}

impl fmt::Debug for MemoryMailstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMailstore").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;
    use staffetta_chassis::clock::Manual;
    use staffetta_directory_api::{Quota, ShardEpoch};

    use super::*;
    use crate::contract::Fixture;
    use crate::{Bodies, Delivery, Mailboxes};

    pub(crate) async fn fixture() -> Fixture {
        let clock = Manual::at_unix(1_800_000_000);
        let store = MemoryMailstore::new(Arc::new(clock.clone()));
        let forgetting = store.clone();
        Fixture {
            mailstore: Arc::new(store.clone()),
            other: Arc::new(store),
            clock,
            access: Arc::new(|account, epoch, quota| Access { account, epoch, quota, token: None }),
            forget_expunged: Arc::new(move |account| {
                forgetting.forget_expunged(account);
                std::future::ready(()).boxed()
            }),
            guard: Box::new(()),
        }
    }

    crate::contract_tests!(fixture);

    fn access() -> Access {
        Access { account: AccountId(1), epoch: ShardEpoch(1), quota: Quota::UNLIMITED, token: None }
    }

    #[tokio::test]
    async fn a_failing_store_fails_every_call_until_it_heals() {
        let store = MemoryMailstore::new(Arc::new(Manual::at_unix(1_800_000_000)));
        let away = MailstoreError::Unavailable { message: "switched off".to_owned() };
        store.fail_with(Some(away.clone()));
        assert_eq!(store.list(&access()).await, Err(away.clone()));
        assert_eq!(store.read(&access(), crate::MailboxId(1), &[]).await.err(), Some(away));
        store.fail_with(None);
        assert!(store.list(&access()).await.is_ok());
    }

    #[tokio::test]
    async fn limits_are_kept() {
        let limits = MemoryLimits { mailboxes: 7, message_size: 3, ..MemoryLimits::default() };
        let store = MemoryMailstore::with_limits(Arc::new(Manual::at_unix(1_800_000_000)), limits);
        let create = async |name: &str| store.create(&access(), &name.try_into().unwrap(), None).await;
        assert!(create("a").await.is_ok());
        assert!(matches!(create("b").await, Err(MailstoreError::Limit { .. })));
        let append = crate::AppendRequest {
            key: crate::IdempotencyKey(uuid::Uuid::new_v4()),
            mailbox: crate::MailboxName::inbox(),
            flags: crate::Flags::NONE,
            received_at: None,
            body: Bytes::from_static(b"four").into(),
        };
        assert!(matches!(store.append(&access(), append).await, Err(MailstoreError::Limit { .. })));
    }
}
