//! Group commit on the real database: what shares a transaction, what leaves it, what a crash of a part leaves behind.

use bytes::Bytes;
use futures_util::future::join_all;
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};
use staffetta_mailstore_api::{
    Access, Accounts, AppendRequest, DeliverRequest, Delivered, Delivery, DeliveryTarget, Flags,
    IdempotencyKey, MailboxName, Mailboxes, MailstoreError, Refusal, RefusalReason, TransactionId,
};
use staffetta_packs::store::fault::{Fault, Operation};
use staffetta_packs::{
    BodyAddress, Checksum, Commit, CommitFailure, Entry, Locking, PackId, PackName, WriterId,
};
use std::time::Duration;
use uuid::Uuid;

use super::Shard;
use crate::delivery::{Item, Key, Target};
use crate::store::PostgresMailstore;

const MAIL: &[u8] = b"From: a@north.test\r\nSubject: hi\r\n\r\nHello\r\n";

fn request(transaction: Uuid, accounts: &[i64], quota: Quota) -> DeliverRequest {
    let target = |account: &i64| DeliveryTarget { account: AccountId(*account), epoch: ShardEpoch(1), quota };
    DeliverRequest {
        transaction: TransactionId(transaction),
        targets: accounts.iter().map(target).collect(),
        body: Spooled::from(Bytes::from_static(MAIL)),
    }
}

async fn deliver(
    store: &PostgresMailstore,
    accounts: &[i64],
    quota: Quota,
) -> Result<Delivered, MailstoreError> {
    store.deliver(request(Uuid::now_v7(), accounts, quota)).await
}

fn access(account: i64) -> Access {
    Access { account: AccountId(account), epoch: ShardEpoch(1), quota: Quota::UNLIMITED, token: None }
}

async fn count(shard: &Shard, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(shard.one.store.pool()).await.expect("count")
}

#[tokio::test]
async fn deliveries_that_arrive_together_share_packs() {
    let shard = Shard::start().await;
    shard.objects.delay(Operation::Put, Duration::from_millis(20));
    let store = &shard.one.store;
    let deliveries =
        join_all((0..100).map(|n| async move { deliver(store, &[n % 7], Quota::UNLIMITED).await })).await;
    assert!(deliveries.iter().all(Result::is_ok), "{deliveries:?}");
    assert!(shard.objects.calls(Operation::Put) < 20, "{} PUTs", shard.objects.calls(Operation::Put));
    assert_eq!(count(&shard, "SELECT count(*) FROM message").await, 100);
    assert_eq!(count(&shard, "SELECT sum(uid_next - 1 - messages)::bigint FROM mailbox").await, 0);
}

#[tokio::test]
async fn one_body_is_stored_for_many_recipients() {
    let shard = Shard::start().await;
    let accounts: Vec<i64> = (1..=20).collect();
    deliver(&shard.one.store, &accounts, Quota::UNLIMITED).await.expect("deliver");
    assert_eq!(count(&shard, "SELECT count(*) FROM body").await, 1);
    assert_eq!(count(&shard, "SELECT count(DISTINCT account_id) FROM message").await, 20);
}

#[tokio::test]
async fn a_locked_account_delays_only_its_own_mail() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    deliver(store, &[1, 2], Quota::UNLIMITED).await.expect("both exist");
    let transaction = shard.two.store.lock(&access(1)).await.expect("lock");
    let held = deliver(store, &[1, 2], Quota::UNLIMITED);
    tokio::pin!(held);
    for _ in 0..5 {
        tokio::select! {
            biased;
            outcome = deliver(store, &[2], Quota::UNLIMITED) => { outcome.expect("free"); }
            outcome = &mut held => panic!("delivered under a foreign lock: {outcome:?}"),
        }
    }
    drop(transaction);
    held.await.expect("delivered after the lock");
    let usage = store.usage(&[AccountId(1), AccountId(2)]).await.expect("usage");
    assert_eq!((usage[0].messages, usage[1].messages), (2, 7));
}

#[tokio::test]
async fn a_quota_is_exact_within_a_batch() {
    let shard = Shard::start().await;
    let quota = Quota { bytes: 0, messages: 3 };
    let store = &shard.one.store;
    let deliveries = join_all((0..8).map(|_| deliver(store, &[1], quota))).await;
    let (stored, refused): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 3);
    let refusal = Refusal { account: AccountId(1), reason: RefusalReason::OverQuota };
    let wanted = MailstoreError::Refused { refusals: vec![refusal] };
    assert!(refused.into_iter().all(|outcome| outcome == Err(wanted.clone())));
}

#[tokio::test]
async fn a_refused_delivery_takes_nothing_from_the_quota_of_others() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    deliver(store, &[1], Quota { bytes: 0, messages: 1 }).await.expect("fills 1");
    let quota = Quota { bytes: 0, messages: 1 };
    let (refused, stored) = tokio::join!(deliver(store, &[1, 2], quota), deliver(store, &[2], quota));
    assert!(matches!(refused, Err(MailstoreError::Refused { .. })), "{refused:?}");
    stored.expect("account 2 has room for one");
}

#[tokio::test]
async fn nothing_is_recorded_when_the_store_is_away() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    shard.objects.inject(Operation::Put, Fault::Fail, 1);
    let transaction = Uuid::now_v7();
    let failed = store.deliver(request(transaction, &[1], Quota::UNLIMITED)).await;
    assert!(matches!(failed, Err(MailstoreError::Unavailable { .. })), "{failed:?}");
    assert_eq!(count(&shard, "SELECT count(*) FROM message").await, 0);
    let again = store.deliver(request(transaction, &[1], Quota::UNLIMITED)).await.expect("the store is back");
    assert!(again.stored[&AccountId(1)].is_some());
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    deliver(store, &[1], Quota::UNLIMITED).await.expect("deliver");
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
        .execute(store.pool())
        .await
        .expect("terminate");
    let mut outcome = deliver(store, &[1], Quota::UNLIMITED).await;
    for _ in 0..20 {
        if outcome.is_ok() {
            break;
        }
        outcome = deliver(store, &[1], Quota::UNLIMITED).await;
    }
    outcome.expect("a new connection");
}

#[tokio::test]
async fn a_pack_with_a_tombstone_takes_no_body() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    deliver(store, &[1], Quota::UNLIMITED).await.expect("deliver");
    // What a collector leaves for a commit that comes too late.
    let dead: Uuid = sqlx::query_scalar("UPDATE pack SET dead = true RETURNING id")
        .fetch_one(store.pool())
        .await
        .expect("tombstone");
    let pack = PackName { id: PackId::from_uuid(dead), writer: WriterId::new("late") };
    let address = BodyAddress { pack, offset: 0, len: 10, checksum: Checksum::of(b"0123456789") };
    let target = Target {
        account: AccountId(1),
        epoch: 1,
        most_bytes: i64::MAX,
        most_messages: i64::MAX,
        key: Key::Delivery(TransactionId(Uuid::now_v7())),
        mailbox: MailboxName::inbox().into(),
        flags: 0,
        keywords: None,
        received_at: chrono::DateTime::UNIX_EPOCH,
    };
    let item = Item { targets: vec![target], header: None, skeleton: Vec::new() };
    let late = shard.one.commit.commit(&[Entry { address, item }], Locking::Skip).await;
    assert!(matches!(late, Err(CommitFailure::Culprit(_))), "{late:?}");
    assert_eq!(count(&shard, "SELECT count(*) FROM message").await, 1);
    assert_eq!(count(&shard, "SELECT messages FROM mailbox WHERE name = 'INBOX'").await, 1);
}

#[tokio::test]
async fn an_append_repeated_within_one_batch_is_stored_once() {
    let shard = Shard::start().await;
    let store = &shard.one.store;
    shard.objects.delay(Operation::Put, Duration::from_millis(20));
    let key = IdempotencyKey(Uuid::new_v4());
    let append = || async {
        let request = AppendRequest {
            key,
            mailbox: MailboxName::inbox(),
            flags: Flags::NONE,
            received_at: None,
            body: Spooled::from(Bytes::from_static(MAIL)),
        };
        store.append(&access(1), request).await
    };
    let answers = join_all((0..6).map(|_| append())).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.is_ok()), "{answers:?}");
    assert_eq!(store.status(&access(1), &MailboxName::inbox()).await.expect("status").messages, 1);
}

#[tokio::test]
async fn pods_that_race_for_one_transaction_store_it_once() {
    let shard = Shard::start().await;
    let (one, two) = (&shard.one.store, &shard.two.store);
    for _ in 0..50 {
        let transaction = Uuid::now_v7();
        let deliver = |store: &PostgresMailstore| {
            let store = store.clone();
            async move { store.deliver(request(transaction, &[1, 2], Quota::UNLIMITED)).await }
        };
        let (a, b, c, d) = tokio::join!(deliver(one), deliver(two), deliver(one), deliver(two));
        let stored =
            [a, b, c, d].map(|outcome| outcome.expect("no race is an error").stored[&AccountId(1)].is_some());
        assert_eq!(stored.iter().filter(|stored| **stored).count(), 1);
    }
    assert_eq!(count(&shard, "SELECT count(*) FROM message").await, 100);
}
