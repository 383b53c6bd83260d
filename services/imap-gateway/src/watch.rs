//! New mail without polling: one watch stream per shard, shared by every session of this gateway.
//!
//! A session holds an [`AccountWatch`]; the [`Hub`] adds the account to the stream with its first session and takes it off with
//! its last. The stream may break and come back at any time: after each start every account is added again, and the MODSEQ
//! that mailstore answers to that ([`WatchEvent::Watching`]) wakes the sessions that missed something.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::StreamExt;
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{Access, Mailstore, ModSeq, WatchCommand, WatchEvent};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// The watched accounts of one shard.
#[derive(Debug)]
pub struct Hub {
    accounts: Mutex<HashMap<AccountId, Watched>>,
    commands: Mutex<Option<mpsc::UnboundedSender<WatchCommand>>>,
}

#[derive(Debug)]
struct Watched {
    access: Access,
    sessions: usize,
    modseq: watch::Sender<ModSeq>,
}

/// One session's eye on its account; dropping it ends the watching.
#[derive(Debug)]
pub struct AccountWatch {
    hub: Weak<Hub>,
    account: AccountId,
    modseq: watch::Receiver<ModSeq>,
}

impl Hub {
    /// Starts watching a shard; the work ends with `tasks`.
    pub fn start(store: Arc<dyn Mailstore>, clock: Arc<dyn Clock>, tasks: &Tasks) -> Arc<Self> {
        let hub = Arc::new(Self { accounts: Mutex::default(), commands: Mutex::default() });
        let running = Arc::clone(&hub);
        tasks.spawn(async move { running.run(store, clock).await });
        hub
    }

    /// Watches an account for one more session.
    pub fn watch(self: &Arc<Self>, access: &Access) -> AccountWatch {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = accounts.entry(access.account).or_insert_with(|| Watched {
            access: access.clone(),
            sessions: 0,
            modseq: watch::Sender::new(ModSeq(0)),
        });
        watched.sessions += 1;
        watched.access = access.clone();
        let modseq = watched.modseq.subscribe();
        drop(accounts);
        self.send(WatchCommand::Add(access.clone()));
        AccountWatch { hub: Arc::downgrade(self), account: access.account, modseq }
    }

    /// Prolongs the watching of an account with a fresh token.
    pub fn prolong(&self, access: &Access) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = accounts.get_mut(&access.account) {
            watched.access = access.clone();
            drop(accounts);
            self.send(WatchCommand::Add(access.clone()));
        }
    }

    fn leave(&self, account: AccountId) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watched) = accounts.get_mut(&account) else { return };
        watched.sessions -= 1;
        if watched.sessions == 0 {
            accounts.remove(&account);
            // Sent under the lock, so that it cannot overtake the Add of a session that comes right now.
            self.send(WatchCommand::Remove(account));
        }
    }

    /// A command that finds no stream is not lost: the next stream starts with every account of the map.
    fn send(&self, command: WatchCommand) {
        if let Some(commands) = &*self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = commands.send(command);
        }
    }

    async fn run(&self, store: Arc<dyn Mailstore>, clock: Arc<dyn Clock>) {
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            match self.follow(&*store).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    tracing::warn!(%error, failures, "watch stream broke, starting it again");
                    clock.sleep(backoff.delay(failures)).await;
                    failures = failures.saturating_add(1).min(16);
                }
            }
        }
    }

    /// One stream from its start to its end.
    async fn follow(&self, store: &dyn Mailstore) -> Result<(), staffetta_mailstore_api::MailstoreError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            for watched in accounts.values() {
                let _ = sender.send(WatchCommand::Add(watched.access.clone()));
            }
            *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        }
        let mut events = store.watch(UnboundedReceiverStream::new(receiver).boxed()).await?;
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Watching { account, modseq } | WatchEvent::Changed { account, modseq, .. } => {
                    self.announce(account, modseq);
                }
                // The session renews its token by itself and adds the account again.
                WatchEvent::Ended { account } => tracing::debug!(%account, "watching ended by mailstore"),
            }
        }
        Ok(())
    }

    fn announce(&self, account: AccountId, modseq: ModSeq) {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = accounts.get(&account) {
            watched.modseq.send_if_modified(|known| {
                let newer = modseq > *known;
                *known = modseq.max(*known);
                newer
            });
        }
    }
}

impl AccountWatch {
    /// The newest MODSEQ of the account that was announced, marked as seen.
    pub fn latest(&mut self) -> ModSeq {
        *self.modseq.borrow_and_update()
    }

    /// Ends when a newer MODSEQ is announced than the last one seen.
    pub async fn changed(&mut self) {
        if self.modseq.changed().await.is_err() {
            // The hub is gone, and with it the whole process soon.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for AccountWatch {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.leave(self.account);
        }
    }
}
