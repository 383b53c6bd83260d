//! Rules of accounts as a whole.

use staffetta_directory_api::{Quota, ShardEpoch};

use super::Fixture;
use super::actor::{Actor, MAIL, delivery, new_account, transaction, uid, uids};
use crate::{
    BodyRange, FetchItems, FetchRequest, Flags, MailstoreError, PurgeProgress, QuotaUsage, Refusal,
    RefusalReason, SearchKey, SearchRequest, UidSet,
};

/// Exact, whatever changed it.
pub async fn quota_usage_follows_every_change(fixture: Fixture) {
    let quota = Quota { bytes: 1_000_000, messages: 100 };
    let alice = fixture.limited(quota);
    let size = MAIL.len() as u64;
    let usage = alice.store.quota_usage(&alice.access).await.expect("quota usage");
    assert_eq!(usage, QuotaUsage { bytes: 0, messages: 0, limit: quota });
    alice.append("INBOX", MAIL, Flags::NONE).await;
    alice.deliver(MAIL).await;
    let inbox = alice.mailbox("INBOX").await;
    alice.copy(inbox, &uids(&[1]), "Archive").await.expect("copy");
    assert_eq!(alice.used().await, (3 * size, 3));
    alice.relocate(inbox, &uids(&[2]), "Trash").await.expect("move");
    alice.remove(inbox, &uids(&[1])).await;
    assert_eq!(alice.used().await, (2 * size, 2));
    let usages = fixture.mailstore.usage(&[alice.id()]).await.expect("usage");
    assert_eq!(usages, [QuotaUsage { bytes: 2 * size, messages: 2, limit: Quota::UNLIMITED }]);
}

/// In the order of the question.
pub async fn usage_of_unknown_accounts_is_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let usages = fixture.mailstore.usage(&[new_account(), alice.id(), new_account()]).await.expect("usage");
    let messages: Vec<_> = usages.iter().map(|usage| usage.messages).collect();
    assert_eq!(messages, [0, 1, 0]);
    assert_eq!(usages[0], QuotaUsage::default());
    assert_eq!(fixture.mailstore.usage(&[]).await, Ok(Vec::new()));
}

/// Ids of one account mean nothing to another.
pub async fn accounts_cannot_see_each_other(fixture: Fixture) {
    let (alice, mallory) = (fixture.actor(), fixture.actor());
    alice.append("INBOX", MAIL, Flags::NONE).await;
    mallory.append("Sent", "mine", Flags::NONE).await;
    let mailbox = alice.mailbox("INBOX").await;
    // Ids of mailboxes are unique, or the same number is a mailbox of mallory's own: either way nothing of alice's shows.
    let read = mallory.store.read(&mallory.access, mailbox, &[BodyRange::whole(uid(1))]).await;
    if let Ok(chunks) = read {
        let chunks: Vec<_> = futures_util::TryStreamExt::try_collect(chunks).await.expect("chunks");
        assert!(chunks.iter().all(|chunk: &crate::BodyChunk| chunk.data != MAIL.as_bytes()));
    }
    let items = FetchItems { skeleton: true, header: true };
    let fetch = FetchRequest { mailbox, uids: UidSet::all(), items, changed_since: None };
    if let Ok(messages) = mallory.store.fetch(&mallory.access, &fetch).await {
        let messages: Vec<_> = futures_util::TryStreamExt::try_collect(messages).await.expect("messages");
        assert!(messages.iter().all(|message: &crate::FetchedMessage| message.size != MAIL.len() as u64));
    }
    let search = SearchRequest { mailbox, among: UidSet::all(), key: SearchKey::Text("hello".to_owned()) };
    let found = mallory.store.search(&mallory.access, &search).await;
    assert!(found.is_err() || found.is_ok_and(|hits| hits.uids.is_empty()));
    let copied = mallory.copy(mailbox, &UidSet::all(), "Archive").await;
    assert!(copied.is_err() || mallory.used().await.1 == 1);
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[1]));
}

/// The account moved; log in again.
pub async fn a_stale_epoch_is_refused(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let moved = (fixture.access)(alice.id(), ShardEpoch(2), Quota::UNLIMITED);
    let moved = Actor { store: std::sync::Arc::clone(&fixture.other), access: moved };
    assert_eq!(moved.examine("INBOX").await.status.messages, 1);
    assert_eq!(alice.store.list(&alice.access).await, Err(MailstoreError::StaleEpoch));
    assert_eq!(alice.try_append("INBOX", MAIL, Flags::NONE).await, Err(MailstoreError::StaleEpoch));
    assert_eq!(alice.store.open_maildrop(&alice.access).await, Err(MailstoreError::StaleEpoch));
    moved.append("INBOX", MAIL, Flags::NONE).await;
}

/// In chunks, idempotent, for ever.
pub async fn purge_removes_everything_and_refuses_from_then_on(fixture: Fixture) {
    let (alice, bob) = (fixture.actor(), fixture.actor());
    let both = delivery(transaction(), &[alice.id(), bob.id()], MAIL);
    fixture.mailstore.deliver(both).await.expect("deliver");
    let inbox = alice.mailbox("INBOX").await;
    while alice.examine("INBOX").await.status.messages < 200 {
        alice.copy(inbox, &UidSet::all(), "INBOX").await.expect("copy");
    }
    alice.append("Archive", MAIL, Flags::NONE).await;
    let stored = alice.used().await.1;
    let mut removed = 0;
    let mut rounds = 0;
    loop {
        let progress = fixture.mailstore.purge(alice.id()).await.expect("purge");
        removed += progress.removed;
        rounds += 1;
        assert_eq!(alice.store.list(&alice.access).await, Err(MailstoreError::StaleEpoch));
        if progress.done {
            break;
        }
        assert!(rounds < 10_000, "a purge comes to its end");
    }
    assert_eq!(removed, stored);
    let again = fixture.other.purge(alice.id()).await;
    assert_eq!(again, Ok(PurgeProgress { removed: 0, done: true }));
    assert_eq!(alice.try_append("INBOX", MAIL, Flags::NONE).await, Err(MailstoreError::StaleEpoch));
    let refused = fixture.mailstore.deliver(delivery(transaction(), &[alice.id(), bob.id()], MAIL)).await;
    let refusal = Refusal { account: alice.id(), reason: RefusalReason::StaleEpoch };
    assert_eq!(refused, Err(MailstoreError::Refused { refusals: vec![refusal] }));
    assert_eq!(fixture.mailstore.usage(&[alice.id()]).await.expect("usage")[0].messages, 0);
    let inbox = bob.mailbox("INBOX").await;
    assert_eq!(bob.read(inbox, uid(1)).await, MAIL.as_bytes(), "shared bodies stay");
    let unknown = fixture.mailstore.purge(new_account()).await;
    assert_eq!(unknown, Ok(PurgeProgress { removed: 0, done: true }));
}
