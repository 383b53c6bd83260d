//! Watch: hints as they come, and a slow poll that finds what hints lost. One poll statement for all accounts of the pod.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rustc_hash::FxHashMap;
use sqlx::PgPool;
use staffetta_chassis::clock::Clock;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{Access, MailstoreError, ModSeq, Watch, WatchCommand, WatchEvent};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::error::database;
use crate::hints::{Hint, HintEvent};
use crate::store::{PostgresMailstore, modseq_from};

/// Rounds of the poll a stream may be behind.
const ROUNDS: usize = 4;
/// MODSEQs heard of out of order that are remembered for one account.
const AHEAD: usize = 64;

/// MODSEQ of every watched account, `None`: purged.
type Round = Arc<FxHashMap<AccountId, Option<ModSeq>>>;

/// The accounts that this pod's streams watch. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Watchers {
    counts: Arc<Mutex<FxHashMap<AccountId, usize>>>,
    rounds: broadcast::Sender<Round>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self { counts: Arc::default(), rounds: broadcast::channel(ROUNDS).0 }
    }
}

impl Watchers {
    fn change(&self, account: AccountId, watched: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if watched {
            *counts.entry(account).or_default() += 1;
        } else if let Some(count) = counts.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&account);
            }
        }
    }

    fn accounts(&self) -> Vec<i64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).keys().map(|account| account.0).collect()
    }

    /// Asks for all watched accounts every `interval`, for ever.
    pub(crate) async fn poll(self, pool: PgPool, clock: Arc<dyn Clock>, interval: Duration) {
        loop {
            clock.sleep(interval).await;
            let accounts = self.accounts();
            if accounts.is_empty() {
                continue;
            }
            match modseqs(&pool, &accounts).await {
                Ok(round) => {
                    // No stream left is no error.
                    let _ = self.rounds.send(Arc::new(round));
                }
                Err(error) => tracing::warn!(%error, "watched accounts not polled"),
            }
        }
    }
}

async fn modseqs(
    pool: &PgPool,
    accounts: &[i64],
) -> Result<FxHashMap<AccountId, Option<ModSeq>>, MailstoreError> {
    let rows: Vec<(i64, i64, bool)> = sqlx::query_as(include_str!("sql/watch/modseqs.sql"))
        .bind(accounts)
        .fetch_all(pool)
        .await
        .map_err(|error| database(&error))?;
    let known =
        rows.into_iter().map(|(id, modseq, purged)| (AccountId(id), (!purged).then(|| modseq_from(modseq))));
    Ok(known.collect())
}

/// What one stream told about one account.
#[derive(Debug)]
struct Told {
    /// The account's MODSEQ when it was added: nothing up to here is news.
    start: ModSeq,
    /// Every change up to here was told.
    through: ModSeq,
    /// Changes beyond a gap that were told.
    ahead: BTreeSet<ModSeq>,
}

impl Told {
    fn new(start: ModSeq) -> Self {
        Self { start, through: start, ahead: BTreeSet::new() }
    }

    /// A change was heard of; true if it is news. One MODSEQ may have changed several mailboxes.
    fn hear(&mut self, modseq: ModSeq, whole_account: bool) -> bool {
        if whole_account {
            // "Look at everything" covers all that was committed before it.
            self.catch_up(modseq);
        } else if modseq > self.through {
            self.ahead.insert(modseq);
            while self.ahead.remove(&ModSeq(self.through.0 + 1)) {
                self.through = ModSeq(self.through.0 + 1);
            }
            if self.ahead.len() > AHEAD {
                self.ahead.pop_first();
            }
        }
        modseq > self.start
    }

    /// The poll knows `modseq`; true if something up to it was never told.
    fn catch_up(&mut self, modseq: ModSeq) -> bool {
        if modseq <= self.through {
            return false;
        }
        self.through = modseq;
        self.ahead = self.ahead.split_off(&ModSeq(modseq.0 + 1));
        true
    }
}

/// One gateway's stream.
struct Session {
    store: PostgresMailstore,
    watched: FxHashMap<AccountId, Told>,
}

impl Drop for Session {
    fn drop(&mut self) {
        for account in self.watched.keys() {
            self.store.inner.watchers.change(*account, false);
        }
    }
}

#[async_trait]
impl Watch for PostgresMailstore {
    async fn watch(
        &self,
        mut commands: BoxStream<'static, WatchCommand>,
    ) -> Result<BoxStream<'static, Result<WatchEvent, MailstoreError>>, MailstoreError> {
        // Listening starts before the first account is looked at, so no change falls between.
        let mut hints = self.inner.hints.subscribe();
        let mut rounds = self.inner.watchers.rounds.subscribe();
        let mut session = Session { store: self.clone(), watched: FxHashMap::default() };
        let events = try_stream! {
            loop {
                let events = tokio::select! {
                    command = commands.next() => match command {
                        None => break,
                        Some(WatchCommand::Add(access)) => session.add(&access).await.map(|event| vec![event]),
                        Some(WatchCommand::Remove(account)) => {
                            session.remove(account);
                            Ok(Vec::new())
                        }
                    },
                    Some(event) = hints.next() => Ok(match event {
                        HintEvent::Hint(hint) => session.hear(hint).into_iter().collect(),
                        HintEvent::Lost => session.look_at_all().await,
                    }),
                    round = rounds.recv() => match round {
                        Ok(round) => Ok(session.catch_up(&round)),
                        // The next round knows as much.
                        Err(RecvError::Lagged(_)) => Ok(Vec::new()),
                        Err(RecvError::Closed) => break,
                    },
                };
                for event in events? {
                    yield event;
                }
            }
        };
        Ok(events.boxed())
    }
}

impl Session {
    async fn add(&mut self, access: &Access) -> Result<WatchEvent, MailstoreError> {
        let account = access.account;
        match self.store.enter(account, access.epoch).await {
            Ok(()) => {}
            Err(MailstoreError::StaleEpoch) => {
                self.remove(account);
                return Ok(WatchEvent::Ended { account });
            }
            Err(error) => return Err(error),
        }
        let found = modseqs(self.store.pool(), &[account.0]).await?;
        let Some(Some(modseq)) = found.get(&account).copied() else {
            self.remove(account);
            return Ok(WatchEvent::Ended { account });
        };
        let told = Told::new(modseq);
        if self.watched.insert(account, told).is_none() {
            self.store.inner.watchers.change(account, true);
        }
        Ok(WatchEvent::Watching { account, modseq })
    }

    fn remove(&mut self, account: AccountId) -> bool {
        let watched = self.watched.remove(&account).is_some();
        if watched {
            self.store.inner.watchers.change(account, false);
        }
        watched
    }

    fn hear(&mut self, hint: Hint) -> Option<WatchEvent> {
        let Hint { account, mailbox, modseq, purged } = hint;
        if purged {
            return self.remove(account).then_some(WatchEvent::Ended { account });
        }
        let news = self.watched.get_mut(&account)?.hear(modseq, mailbox.is_none());
        news.then_some(WatchEvent::Changed { account, mailbox, modseq })
    }

    /// Hints were lost: ask at once instead of waiting for the poll.
    async fn look_at_all(&mut self) -> Vec<WatchEvent> {
        let accounts: Vec<i64> = self.watched.keys().map(|account| account.0).collect();
        if accounts.is_empty() {
            return Vec::new();
        }
        match modseqs(self.store.pool(), &accounts).await {
            Ok(round) => self.catch_up(&round),
            Err(error) => {
                tracing::warn!(%error, "watched accounts not looked at; the poll will");
                Vec::new()
            }
        }
    }

    fn catch_up(&mut self, round: &FxHashMap<AccountId, Option<ModSeq>>) -> Vec<WatchEvent> {
        let (mut events, mut ended) = (Vec::new(), Vec::new());
        for (account, told) in &mut self.watched {
            let account = *account;
            match round.get(&account) {
                Some(Some(modseq)) if told.catch_up(*modseq) => {
                    events.push(WatchEvent::Changed { account, mailbox: None, modseq: *modseq });
                }
                Some(None) => ended.push(account),
                // Known already, or added since the round began.
                _ => {}
            }
        }
        for account in ended {
            self.remove(account);
            events.push(WatchEvent::Ended { account });
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(through: u64) -> Told {
        Told::new(ModSeq(through))
    }

    #[test]
    fn the_poll_is_silent_when_every_hint_came() {
        let mut told = told(5);
        for modseq in [7, 6, 8] {
            assert!(told.hear(ModSeq(modseq), false));
        }
        assert!(!told.catch_up(ModSeq(8)));
    }

    #[test]
    fn the_poll_speaks_when_a_hint_was_lost() {
        let mut told = told(5);
        assert!(told.hear(ModSeq(7), false));
        assert!(told.catch_up(ModSeq(7)), "6 was never told");
        assert!(!told.catch_up(ModSeq(7)));
    }

    #[test]
    fn what_was_before_the_watch_is_not_told() {
        assert!(!told(5).hear(ModSeq(5), false));
    }

    #[test]
    fn two_mailboxes_changed_by_one_modseq_are_both_told() {
        let mut told = told(5);
        assert!(told.hear(ModSeq(6), false));
        assert!(told.hear(ModSeq(6), false));
        assert!(!told.catch_up(ModSeq(6)));
    }
}
