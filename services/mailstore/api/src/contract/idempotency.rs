//! The same call with the same key answers the same and changes nothing.

use super::Fixture;
use super::actor::{MAIL, body, flags, key, name, uids};
use crate::{
    AppendRequest, CopyRequest, ExpungeRequest, Flags, FlagsOperation, MailstoreError, StoreRequest,
    SystemFlag,
};

fn append() -> AppendRequest {
    AppendRequest {
        key: key(),
        mailbox: name("Sent"),
        flags: Flags::NONE,
        received_at: None,
        body: body(MAIL),
    }
}

/// The first answer was lost on its way.
pub async fn append_again_answers_the_same_uid(fixture: Fixture) {
    let alice = fixture.actor();
    let request = append();
    let first = alice.store.append(&alice.access, request.clone()).await.expect("append");
    let elsewhere = fixture.elsewhere(&alice);
    let again = elsewhere.store.append(&elsewhere.access, request).await.expect("append");
    assert_eq!(again, first);
    assert_eq!(alice.examine("Sent").await.uids, uids(&[1]));
    assert_eq!(alice.used().await.1, 1);
    let other = alice.store.append(&alice.access, append()).await.expect("append");
    assert_eq!(other.uid.get(), 2, "another key is another message");
}

/// Also when the message is gone.
pub async fn append_again_after_expunge_stores_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    let request = append();
    let first = alice.store.append(&alice.access, request.clone()).await.expect("append");
    let sent = alice.mailbox("Sent").await;
    alice.remove(sent, &uids(&[1])).await;
    let again = alice.store.append(&alice.access, request).await.expect("append");
    assert_eq!(again, first);
    assert!(alice.examine("Sent").await.uids.is_empty());
}

/// What another session did in between stays.
pub async fn store_again_changes_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let seen = flags(&[SystemFlag::Seen], &["k"]);
    let request = StoreRequest {
        key: key(),
        mailbox: inbox,
        uids: uids(&[1]),
        operation: FlagsOperation::Add,
        flags: seen.clone(),
        unchanged_since: None,
    };
    let first = alice.store.store(&alice.access, &request).await.expect("store");
    fixture.elsewhere(&alice).flag(inbox, &uids(&[1]), FlagsOperation::Remove, &seen).await;
    let before = alice.examine("INBOX").await.status;
    let again = alice.store.store(&alice.access, &request).await.expect("store");
    assert_eq!(again.modified, first.modified);
    assert_eq!(alice.examine("INBOX").await.status, before);
    assert_eq!(alice.fetch_all(inbox).await[0].flags, Flags::NONE);
}

/// COPYUID is the same.
pub async fn copy_and_move_again_answer_the_same(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..3 {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    let request = |set| CopyRequest { key: key(), mailbox: inbox, uids: set, target: name("Archive") };
    let copy = request(uids(&[1, 2]));
    let first = alice.store.copy(&alice.access, &copy).await.expect("copy");
    let again = alice.store.copy(&alice.access, &copy).await.expect("copy");
    assert_eq!((&again.source, &again.target), (&first.source, &first.target));
    assert_eq!(alice.examine("Archive").await.uids, uids(&[1, 2]));
    let relocation = request(uids(&[2, 3]));
    let first = alice.store.relocate(&alice.access, &relocation).await.expect("move");
    let again = alice.store.relocate(&alice.access, &relocation).await.expect("move");
    assert_eq!((&again.source, &again.target), (&first.source, &first.target));
    assert_eq!((again.source, again.target), (uids(&[2, 3]), uids(&[3, 4])));
    assert_eq!(alice.examine("Archive").await.uids, uids(&[1, 2, 3, 4]));
    assert_eq!(alice.used().await.1, 5);
}

/// Messages marked since are not touched.
pub async fn expunge_again_answers_the_same(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..2 {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    let deleted = flags(&[SystemFlag::Deleted], &[]);
    alice.flag(inbox, &uids(&[1]), FlagsOperation::Add, &deleted).await;
    let request = ExpungeRequest { key: key(), mailbox: inbox, uids: None };
    let first = alice.store.expunge(&alice.access, &request).await.expect("expunge");
    assert_eq!(first.uids, uids(&[1]));
    alice.flag(inbox, &uids(&[2]), FlagsOperation::Add, &deleted).await;
    let again = alice.store.expunge(&alice.access, &request).await.expect("expunge");
    assert_eq!(again.uids, first.uids);
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2]));
}

/// The lease is given back by the first.
pub async fn maildrop_commit_again_is_fine(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    alice.deliver(MAIL).await;
    let maildrop = alice.store.open_maildrop(&alice.access).await.expect("open");
    let key = key();
    for _ in 0..2 {
        let committed = alice.store.commit_maildrop(&alice.access, &maildrop.lease, key, &uids(&[1])).await;
        assert_eq!(committed, Ok(()));
    }
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2]));
    let next = alice.store.open_maildrop(&alice.access).await.expect("open");
    let late = alice.store.commit_maildrop(&alice.access, &maildrop.lease, key, &uids(&[1])).await;
    assert_eq!(late, Ok(()), "also when somebody else holds the maildrop by now");
    let renewed = alice.store.renew_maildrop(&alice.access, &next.lease).await;
    assert_eq!(renewed, Ok::<(), MailstoreError>(()));
}

/// A key names a write of one account.
pub async fn keys_of_different_accounts_are_different(fixture: Fixture) {
    let (alice, bob) = (fixture.actor(), fixture.actor());
    let request = append();
    alice.store.append(&alice.access, request.clone()).await.expect("append");
    bob.store.append(&bob.access, request).await.expect("append");
    assert_eq!((alice.used().await.1, bob.used().await.1), (1, 1));
}
