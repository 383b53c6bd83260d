//! Rules of wake-ups.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_directory_api::AccountId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Fixture;
use super::actor::{Actor, MAIL, flags, uids};
use crate::{Flags, FlagsOperation, Mailstore, MailstoreError, ModSeq, SystemFlag, WatchCommand, WatchEvent};

/// How long an event may take; a store that polls does so every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

struct Watcher {
    commands: mpsc::UnboundedSender<WatchCommand>,
    events: BoxStream<'static, Result<WatchEvent, MailstoreError>>,
}

impl Watcher {
    async fn start(store: &Arc<dyn Mailstore>) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let events = store.watch(UnboundedReceiverStream::new(receiver).boxed()).await.expect("watch");
        Self { commands, events }
    }

    async fn next(&mut self) -> WatchEvent {
        let event = tokio::time::timeout(PATIENCE, self.events.next()).await.expect("an event in time");
        event.expect("the stream goes on").expect("an event")
    }

    /// Watches the account and answers its MODSEQ; news of others may come first.
    async fn add(&mut self, actor: &Actor) -> ModSeq {
        self.commands.send(WatchCommand::Add(actor.access.clone())).expect("the stream is open");
        loop {
            match self.next().await {
                WatchEvent::Watching { account, modseq } => {
                    assert_eq!(account, actor.id());
                    return modseq;
                }
                WatchEvent::Ended { account } => panic!("{account} ended"),
                WatchEvent::Changed { .. } => {}
            }
        }
    }

    /// Waits until the account is told to have changed up to `modseq`; answers which accounts were told of.
    async fn changed(&mut self, wanted: AccountId, at_least: ModSeq) -> Vec<AccountId> {
        let mut told = Vec::new();
        loop {
            match self.next().await {
                WatchEvent::Changed { account, modseq, .. } => {
                    told.push(account);
                    if account == wanted && modseq >= at_least {
                        return told;
                    }
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

/// A delivery on another pod wakes an IDLE here.
pub async fn a_change_by_another_handle_is_told(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let now = alice.examine("INBOX").await.status.highest_modseq;
    let mut watcher = Watcher::start(&fixture.mailstore).await;
    assert!(watcher.add(&alice).await >= now);
    fixture.elsewhere(&alice).deliver(MAIL).await;
    let after = alice.examine("INBOX").await.status.highest_modseq;
    watcher.changed(alice.id(), after).await;
    alice.append("Sent", MAIL, Flags::NONE).await;
    let sent = alice.examine("Sent").await.status.highest_modseq;
    watcher.changed(alice.id(), sent).await;
    assert!(watcher.add(&alice).await >= sent, "adding again only prolongs");
}

/// Flags, expunges, copies, and changes of the hierarchy too.
pub async fn every_kind_of_change_is_told(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let mut watcher = Watcher::start(&fixture.mailstore).await;
    watcher.add(&alice).await;
    let there = fixture.elsewhere(&alice);
    let seen = flags(&[SystemFlag::Seen], &[]);
    let stored = there.flag(inbox, &uids(&[1]), FlagsOperation::Add, &seen).await;
    watcher.changed(alice.id(), stored.highest_modseq).await;
    there.copy(inbox, &uids(&[1]), "Archive").await.expect("copy");
    let archive = there.examine("Archive").await.status;
    watcher.changed(alice.id(), archive.highest_modseq).await;
    let moved = there.relocate(archive.mailbox, &uids(&[1]), "Trash").await.expect("move");
    watcher.changed(alice.id(), moved.source_modseq).await;
    let expunged = there.remove(inbox, &uids(&[1])).await;
    watcher.changed(alice.id(), expunged.highest_modseq).await;
    let before = watcher.add(&alice).await;
    there.store.delete(&there.access, &super::actor::name("Junk")).await.expect("delete");
    watcher.changed(alice.id(), before).await;
}

/// Removed ones are not, strangers never.
pub async fn only_watched_accounts_are_told(fixture: Fixture) {
    let (alice, bob, stranger) = (fixture.actor(), fixture.actor(), fixture.actor());
    let mut watcher = Watcher::start(&fixture.mailstore).await;
    watcher.add(&alice).await;
    watcher.commands.send(WatchCommand::Remove(alice.id())).expect("open");
    // Commands are taken in order: once bob is watched, alice is not.
    watcher.add(&bob).await;
    alice.deliver(MAIL).await;
    stranger.deliver(MAIL).await;
    bob.deliver(MAIL).await;
    let modseq = bob.examine("INBOX").await.status.highest_modseq;
    let told = watcher.changed(bob.id(), modseq).await;
    assert!(told.iter().all(|account| *account == bob.id()), "{told:?}");
}

/// No watcher is left behind.
pub async fn the_stream_ends_with_the_commands(fixture: Fixture) {
    let alice = fixture.actor();
    let mut watcher = Watcher::start(&fixture.mailstore).await;
    watcher.add(&alice).await;
    let Watcher { commands, mut events } = watcher;
    drop(commands);
    let rest = tokio::time::timeout(PATIENCE, async { while events.next().await.is_some() {} }).await;
    assert!(rest.is_ok(), "the stream goes on");
}

/// And cannot be watched again.
pub async fn a_purged_account_ends(fixture: Fixture) {
    let alice = fixture.actor();
    let mut watcher = Watcher::start(&fixture.mailstore).await;
    watcher.add(&alice).await;
    while !fixture.other.purge(alice.id()).await.expect("purge").done {}
    let ended = WatchEvent::Ended { account: alice.id() };
    let mut event = watcher.next().await;
    while matches!(event, WatchEvent::Changed { .. }) {
        event = watcher.next().await;
    }
    assert_eq!(event, ended);
    watcher.commands.send(WatchCommand::Add(alice.access.clone())).expect("open");
    assert_eq!(watcher.next().await, ended);
}
