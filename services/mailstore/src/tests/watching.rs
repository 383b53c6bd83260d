//! Wake-ups that are lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};
use staffetta_mailstore_api::{
    Access, Accounts, MailboxName, Mailboxes, MailstoreError, ModSeq, Watch, WatchCommand, WatchEvent,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Shard;
use crate::config::Limits;
use crate::hints::LocalHints;

type Events = BoxStream<'static, Result<WatchEvent, MailstoreError>>;

/// Two pods that do not hear each other.
async fn deaf_shard() -> Shard {
    let deaf = [Arc::new(LocalHints::default()) as _, Arc::new(LocalHints::default()) as _];
    Shard::start_with(&deaf, Limits::default()).await
}

async fn watch(shard: &Shard, access: &Access) -> (mpsc::UnboundedSender<WatchCommand>, Events, ModSeq) {
    let (commands, queue) = mpsc::unbounded_channel();
    let mut events = shard.two.store.watch(UnboundedReceiverStream::new(queue).boxed()).await.expect("watch");
    commands.send(WatchCommand::Add(access.clone())).expect("the stream lives");
    let first = events.next().await.expect("an answer").expect("watching");
    let WatchEvent::Watching { modseq, .. } = first else { panic!("{first:?}") };
    (commands, events, modseq)
}

/// Lets the poll run until an event comes.
async fn next_by_poll(shard: &Shard, events: &mut Events) -> WatchEvent {
    let polling = async {
        loop {
            shard.clock.advance(Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = polling => unreachable!(),
        event = events.next() => event.expect("the stream lives").expect("an event"),
    }
}

fn access() -> Access {
    Access { account: AccountId(7), epoch: ShardEpoch(1), quota: Quota::UNLIMITED, token: None }
}

#[tokio::test]
async fn the_poll_finds_what_hints_lost() {
    let shard = deaf_shard().await;
    let access = access();
    let (_commands, mut events, modseq) = watch(&shard, &access).await;
    let name = MailboxName::try_from("Lost").expect("a name");
    shard.one.store.create(&access, &name, None).await.expect("create");
    let event = next_by_poll(&shard, &mut events).await;
    let wanted = WatchEvent::Changed { account: access.account, mailbox: None, modseq: ModSeq(modseq.0 + 1) };
    assert_eq!(event, wanted);
}

#[tokio::test]
async fn the_poll_finds_a_purge() {
    let shard = deaf_shard().await;
    let access = access();
    let (_commands, mut events, _) = watch(&shard, &access).await;
    while !shard.one.store.purge(access.account).await.expect("purge").done {}
    assert_eq!(next_by_poll(&shard, &mut events).await, WatchEvent::Ended { account: access.account });
}
