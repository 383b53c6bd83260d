//! The expunge journal is bounded, and chunks join to one answer.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};
use staffetta_mailstore_api::{
    Access, AppendRequest, CopyRequest, Delivery, ExpungeRequest, Flags, FlagsOperation, IdempotencyKey,
    MailboxId, MailboxName, Mailboxes, Messages, ModSeq, OpenMode, OpenRequest, StoreRequest, SyncRequest,
    SystemFlag, Uid, UidSet,
};
use uuid::Uuid;

use super::Shard;
use crate::config::Limits;
use crate::hints::LocalHints;
use crate::store::PostgresMailstore;

fn access() -> Access {
    Access { account: AccountId(3), epoch: ShardEpoch(1), quota: Quota::UNLIMITED, token: None }
}

fn key() -> IdempotencyKey {
    IdempotencyKey(Uuid::new_v4())
}

async fn fill(store: &PostgresMailstore, messages: usize) -> MailboxId {
    let append = |_| {
        let request = AppendRequest {
            key: key(),
            mailbox: MailboxName::inbox(),
            flags: Flags::NONE,
            received_at: None,
            body: Spooled::from(Bytes::from_static(b"Subject: x\r\n\r\ny\r\n")),
        };
        async move { store.append(&access(), request).await }
    };
    try_join_all((0..messages).map(append)).await.expect("append");
    store.status(&access(), &MailboxName::inbox()).await.expect("status").mailbox
}

fn storing(key: IdempotencyKey, mailbox: MailboxId, uids: UidSet, flag: SystemFlag) -> StoreRequest {
    let flags = std::iter::once(flag).collect();
    StoreRequest { key, mailbox, uids, operation: FlagsOperation::Add, flags, unchanged_since: None }
}

#[tokio::test]
async fn an_old_cursor_gets_the_full_set_once_the_journal_is_cut() {
    let hints: Arc<dyn crate::hints::Hints> = Arc::new(LocalHints::default());
    let shard = Shard::start_with(&[hints.clone(), hints], Limits { journal: 4, ..Limits::default() }).await;
    let store = &shard.one.store;
    let mailbox = fill(store, 40).await;
    let sync = |since: ModSeq| {
        let request =
            SyncRequest { mailbox, since, uid_next: Uid::new(41).expect("a UID"), claim_recent: false };
        async move { store.sync(&access(), &request).await.expect("sync") }
    };
    let old = sync(ModSeq(0)).await.highest_modseq;
    let mut cursor = old;
    // Every second message: no two runs join.
    for number in (1..=20).map(|n| n * 2) {
        let uid = UidSet::from(Uid::new(number).expect("a UID"));
        store
            .store(&access(), &storing(key(), mailbox, uid.clone(), SystemFlag::Deleted))
            .await
            .expect("store");
        let request = ExpungeRequest { key: key(), mailbox, uids: None };
        assert_eq!(store.expunge(&access(), &request).await.expect("expunge").uids, uid);
        let delta = sync(cursor).await;
        assert_eq!((delta.full, &delta.vanished), (false, &uid));
        cursor = delta.highest_modseq;
    }
    let delta = sync(old).await;
    assert!(delta.full && delta.vanished.is_empty());
    assert_eq!(delta.appeared, (0..20).filter_map(|n| Uid::new(n * 2 + 1)).collect());
    let runs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM expunged").fetch_one(store.pool()).await.expect("runs");
    assert!(runs <= 5, "{runs} runs are kept");
}

#[tokio::test]
async fn a_long_store_expunge_and_move_are_one_answer() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    let mailbox = fill(store, 5).await;
    let all = |key, target: &str| CopyRequest {
        key,
        mailbox,
        uids: UidSet::all(),
        target: MailboxName::try_from(target).expect("a name"),
    };
    // 5, 10, ... 5,120 messages.
    for _ in 0..10 {
        store.copy(&access(), &all(key(), "INBOX")).await.expect("copy");
    }
    let repeated = key();
    let request = storing(repeated, mailbox, UidSet::all(), SystemFlag::Seen);
    let stored = store.store(&access(), &request).await.expect("store");
    let uids: u64 = stored.stored.iter().map(|run| run.uids.len()).sum();
    assert_eq!((uids, stored.modified.is_empty()), (5_120, true));
    assert_eq!(store.store(&access(), &request).await.expect("again"), stored);
    assert_eq!(store.status(&access(), &MailboxName::inbox()).await.expect("status").unseen, 0);

    let moved = store.relocate(&access(), &all(key(), "Archive")).await.expect("move");
    assert_eq!((moved.source.len(), moved.target.len()), (5_120, 5_120));
    let archive = OpenRequest {
        name: MailboxName::try_from("Archive").expect("a name"),
        mode: OpenMode::ReadOnly,
        resync: None,
    };
    let opened = store.open(&access(), &archive).await.expect("open");
    assert_eq!(opened.uids, moved.target);
    let archive = opened.status.mailbox;
    store
        .store(&access(), &storing(key(), archive, UidSet::all(), SystemFlag::Deleted))
        .await
        .expect("store");
    let request = ExpungeRequest { key: key(), mailbox: archive, uids: None };
    let expunged = store.expunge(&access(), &request).await.expect("expunge");
    assert_eq!(expunged.uids, moved.target);
    assert_eq!(store.expunge(&access(), &request).await.expect("again"), expunged);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM deleted_message")
        .fetch_one(store.pool())
        .await
        .expect("kept");
    assert_eq!(kept, 5_120, "for undelete; the moved ones are not deleted");
}
