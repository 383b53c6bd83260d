//! Watches and the life of their tokens.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_directory_api::{AccountId, Scope};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Wire;
use crate::{Access, Mailboxes, MailstoreError, Watch, WatchCommand, WatchEvent};

const ALICE: AccountId = AccountId(1);

struct Watcher {
    commands: mpsc::UnboundedSender<WatchCommand>,
    events: BoxStream<'static, Result<WatchEvent, MailstoreError>>,
}

impl Watcher {
    async fn start(wire: &Wire) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let stream = UnboundedReceiverStream::new(receiver).boxed();
        let events = wire.client("imap-gateway").watch(stream).await.unwrap();
        Self { commands, events }
    }

    async fn next(&mut self) -> Option<Result<WatchEvent, MailstoreError>> {
        tokio::time::timeout(Duration::from_secs(10), self.events.next()).await.expect("an event in time")
    }

    async fn add(&mut self, access: &Access) -> Option<Result<WatchEvent, MailstoreError>> {
        self.commands.send(WatchCommand::Add(access.clone())).unwrap();
        self.next().await
    }
}

fn is_watching(event: Option<Result<WatchEvent, MailstoreError>>) -> bool {
    matches!(event, Some(Ok(WatchEvent::Watching { account: ALICE, .. })))
}

fn ended() -> Option<Result<WatchEvent, MailstoreError>> {
    Some(Ok(WatchEvent::Ended { account: ALICE }))
}

#[tokio::test]
async fn a_watch_ends_with_its_token_and_a_fresh_one_prolongs_it() {
    let wire = Wire::start().await;
    let mut watcher = Watcher::start(&wire).await;
    assert!(is_watching(watcher.add(&wire.access(&[Scope::Imap])).await));
    wire.clock.advance(Duration::from_secs(10 * 60));
    assert!(is_watching(watcher.add(&wire.access(&[Scope::Imap])).await));
    // Past the end of the first token: the second one holds.
    wire.clock.advance(Duration::from_secs(10 * 60));
    wire.store.create(&wire.access(&[]), &"new".try_into().unwrap(), None).await.unwrap();
    assert!(matches!(watcher.next().await, Some(Ok(WatchEvent::Changed { account: ALICE, .. }))));
    wire.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(watcher.next().await, ended());
    wire.store.create(&wire.access(&[]), &"unseen".try_into().unwrap(), None).await.unwrap();
    assert!(is_watching(watcher.add(&wire.access(&[Scope::Imap])).await), "no change was told after the end");
}

#[tokio::test]
async fn a_token_that_is_not_good_watches_nothing_and_harms_no_other_watch() {
    let wire = Wire::start().await;
    let mut watcher = Watcher::start(&wire).await;
    let expired = wire.access(&[Scope::Imap]);
    wire.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(watcher.add(&expired).await, ended());
    assert_eq!(watcher.add(&wire.access(&[Scope::Pop3])).await, ended());
    let mut without = wire.access(&[Scope::Imap]);
    without.token = None;
    assert_eq!(watcher.add(&without).await, ended());
    let mut other = wire.access_with(&[Scope::Imap], |claims| claims.account = AccountId(2));
    other.account = ALICE;
    assert_eq!(watcher.add(&other).await, ended(), "another account's token");
    assert!(is_watching(watcher.add(&wire.access(&[Scope::Imap])).await));
}

#[tokio::test]
async fn a_drain_ends_watches() {
    let wire = Wire::start().await;
    let mut watcher = Watcher::start(&wire).await;
    assert!(is_watching(watcher.add(&wire.access(&[Scope::Imap])).await));
    wire.drain.start();
    assert_eq!(watcher.next().await, None);
}
