//! Wake-ups.

use std::collections::HashMap;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_directory_api::AccountId;
use tokio::sync::broadcast::error::RecvError;

use super::MemoryMailstore;
use crate::{Access, MailboxId, MailstoreError, ModSeq, Watch, WatchCommand, WatchEvent};

/// What the store tells its watchers.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Changed { account: AccountId, mailbox: Option<MailboxId>, modseq: ModSeq },
    Purged { account: AccountId },
}

#[async_trait]
impl Watch for MemoryMailstore {
    async fn watch(
        &self,
        mut commands: BoxStream<'static, WatchCommand>,
    ) -> Result<BoxStream<'static, Result<WatchEvent, MailstoreError>>, MailstoreError> {
        self.healthy()?;
        // Listening starts before the first account is looked at, so no change falls between.
        let mut changes = self.shared.changes.subscribe();
        let store = self.clone();
        let mut watched: HashMap<AccountId, ModSeq> = HashMap::new();
        let events = try_stream! {
            loop {
                let events = tokio::select! {
                    command = commands.next() => match command {
                        None => break,
                        Some(WatchCommand::Add(access)) => vec![store.watched(&access, &mut watched)],
                        Some(WatchCommand::Remove(account)) => {
                            watched.remove(&account);
                            Vec::new()
                        }
                    },
                    change = changes.recv() => match change {
                        Ok(change) => event(change, &mut watched).into_iter().collect(),
                        Err(RecvError::Lagged(_)) => store.everything(&watched),
                        Err(RecvError::Closed) => break,
                    },
                };
                for event in events {
                    yield event;
                }
            }
        };
        Ok(events.boxed())
    }
}

impl MemoryMailstore {
    fn watched(&self, access: &Access, watched: &mut HashMap<AccountId, ModSeq>) -> WatchEvent {
        let account = access.account;
        let entered = self.state().enter(account, access.epoch, self.unix()).map(|account| account.modseq);
        match entered {
            Ok(modseq) => {
                watched.insert(account, modseq);
                WatchEvent::Watching { account, modseq }
            }
            Err(_) => {
                watched.remove(&account);
                WatchEvent::Ended { account }
            }
        }
    }

    /// Changes were lost: every watched account may have changed anywhere.
    fn everything(&self, watched: &HashMap<AccountId, ModSeq>) -> Vec<WatchEvent> {
        let state = self.state();
        let event = |account: &AccountId| {
            let modseq = state.accounts.get(account)?.modseq;
            Some(WatchEvent::Changed { account: *account, mailbox: None, modseq })
        };
        watched.keys().filter_map(event).collect()
    }
}

fn event(change: Change, watched: &mut HashMap<AccountId, ModSeq>) -> Option<WatchEvent> {
    match change {
        Change::Changed { account, mailbox, modseq } => {
            // What `Watching` told already is not told again.
            let news = watched.get(&account).is_some_and(|known| modseq > *known);
            news.then_some(WatchEvent::Changed { account, mailbox, modseq })
        }
        Change::Purged { account } => watched.remove(&account).map(|_| WatchEvent::Ended { account }),
    }
}
