//! Rules of the POP3 maildrop. A lease lives 60 s.

use std::time::Duration;

use super::Fixture;
use super::actor::{Actor, MAIL, flags, key, uid, uids};
use crate::{FlagsOperation, Maildrop, MaildropMessage, MailstoreError, SystemFlag, UidSet};

async fn open(actor: &Actor) -> Result<Maildrop, MailstoreError> {
    actor.store.open_maildrop(&actor.access).await
}

async fn renew(actor: &Actor, maildrop: &Maildrop) -> Result<(), MailstoreError> {
    actor.store.renew_maildrop(&actor.access, &maildrop.lease).await
}

async fn commit(actor: &Actor, maildrop: &Maildrop, deleted: &UidSet) -> Result<(), MailstoreError> {
    actor.store.commit_maildrop(&actor.access, &maildrop.lease, key(), deleted).await
}

/// RFC 1939 4 and 8; cluster-wide.
pub async fn a_maildrop_is_a_snapshot_under_one_lease(fixture: Fixture) {
    let (alice, bob) = (fixture.actor(), fixture.actor());
    for text in ["one", "three", "sixsix"] {
        alice.deliver(text).await;
    }
    let inbox = alice.examine("INBOX").await.status;
    alice.remove(inbox.mailbox, &uids(&[2])).await;
    let maildrop = open(&alice).await.expect("open");
    assert_eq!((maildrop.mailbox, maildrop.uid_validity), (inbox.mailbox, inbox.uid_validity));
    let expected = [MaildropMessage { uid: uid(1), size: 3 }, MaildropMessage { uid: uid(3), size: 6 }];
    assert_eq!(maildrop.messages, expected);
    assert_eq!(open(&fixture.elsewhere(&alice)).await, Err(MailstoreError::MaildropInUse));
    assert_eq!(alice.read(maildrop.mailbox, uid(3)).await, b"sixsix");
    open(&bob).await.expect("another account's is free");
    alice.store.release_maildrop(&alice.access, &maildrop.lease).await.expect("release");
    let next = open(&fixture.elsewhere(&alice)).await.expect("open after release");
    assert_ne!(next.lease, maildrop.lease);
}

/// Fencing: the old holder may still be running.
pub async fn a_lease_expires_and_the_old_holder_removes_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let old = open(&alice).await.expect("open");
    fixture.clock.advance(Duration::from_secs(59));
    assert_eq!(open(&alice).await, Err(MailstoreError::MaildropInUse));
    fixture.clock.advance(Duration::from_secs(2));
    let elsewhere = fixture.elsewhere(&alice);
    let new = open(&elsewhere).await.expect("open after expiry");
    assert_eq!(renew(&alice, &old).await, Err(MailstoreError::LeaseLost));
    assert_eq!(commit(&alice, &old, &uids(&[1])).await, Err(MailstoreError::LeaseLost));
    alice.store.release_maildrop(&alice.access, &old.lease).await.expect("release");
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[1]));
    renew(&elsewhere, &new).await.expect("the new holder is untouched");
    assert_eq!(open(&alice).await, Err(MailstoreError::MaildropInUse));
}

/// Every 15 s.
pub async fn renewal_keeps_a_lease_alive(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let maildrop = open(&alice).await.expect("open");
    for _ in 0..5 {
        fixture.clock.advance(Duration::from_secs(45));
        renew(&alice, &maildrop).await.expect("renew");
    }
    assert_eq!(open(&fixture.elsewhere(&alice)).await, Err(MailstoreError::MaildropInUse));
    commit(&alice, &maildrop, &uids(&[1])).await.expect("commit");
    assert!(alice.examine("INBOX").await.uids.is_empty());
}

/// Nobody knows what happened meanwhile.
pub async fn an_expired_lease_is_lost_though_nobody_took_it(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let maildrop = open(&alice).await.expect("open");
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(renew(&alice, &maildrop).await, Err(MailstoreError::LeaseLost));
    assert_eq!(commit(&alice, &maildrop, &uids(&[1])).await, Err(MailstoreError::LeaseLost));
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[1]));
}

/// UPDATE state (RFC 1939 6); IMAP sessions see it as an expunge.
pub async fn commit_removes_and_gives_the_lease_back(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..3 {
        alice.deliver(MAIL).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    alice.flag(inbox, &uids(&[2]), FlagsOperation::Add, &flags(&[SystemFlag::Deleted], &[])).await;
    let mut at = super::actor::cursor(&alice.examine("INBOX").await);
    let maildrop = open(&alice).await.expect("open");
    commit(&alice, &maildrop, &uids(&[1, 3, 50])).await.expect("commit");
    let delta = alice.sync(&mut at, false).await;
    assert_eq!(delta.vanished, uids(&[1, 3]), "exactly what was deleted by POP3");
    assert_eq!(alice.used().await, (MAIL.len() as u64, 1));
    assert_eq!(commit(&alice, &maildrop, &uids(&[2])).await, Err(MailstoreError::LeaseLost));
    let next = open(&fixture.elsewhere(&alice)).await.expect("open after commit");
    assert_eq!(next.messages.iter().map(|message| message.uid).collect::<Vec<_>>(), [uid(2)]);
    commit(&alice, &next, &UidSet::new()).await.expect("nothing to delete");
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2]));
}

/// A lease keeps other POP3 sessions out, not the mail.
pub async fn mail_that_came_meanwhile_stays(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let maildrop = open(&alice).await.expect("open");
    alice.deliver(MAIL).await;
    commit(&alice, &maildrop, &maildrop.messages.iter().map(|message| message.uid).collect())
        .await
        .expect("commit");
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2]));
}

/// QUIT without DELE, or a cut connection.
pub async fn release_removes_nothing_and_never_fails(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let maildrop = open(&alice).await.expect("open");
    for _ in 0..2 {
        alice.store.release_maildrop(&alice.access, &maildrop.lease).await.expect("release");
    }
    assert_eq!(commit(&alice, &maildrop, &uids(&[1])).await, Err(MailstoreError::LeaseLost));
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[1]));
}
