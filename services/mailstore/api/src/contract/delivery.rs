//! Rules of APPEND and delivery.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use staffetta_chassis::clock::Clock as _;
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{Quota, ShardEpoch};

use super::Fixture;
use super::actor::{Actor, MAIL, body, delivery, flags, key, name, transaction, uid, uids};
use crate::{AppendRequest, Flags, MailstoreError, Refusal, RefusalReason, SystemFlag};

/// One body, many INBOXes.
pub async fn deliver_stores_in_the_inbox_of_every_target(fixture: Fixture) {
    let actors = [fixture.actor(), fixture.actor(), fixture.actor()];
    let request = delivery(transaction(), &actors.each_ref().map(Actor::id), MAIL);
    let delivered = fixture.mailstore.deliver(request).await.expect("deliver");
    assert_eq!(delivered.stored.len(), 3);
    for actor in &actors {
        let at = delivered.stored[&actor.id()].expect("stored");
        let inbox = actor.examine("INBOX").await;
        assert_eq!((at.uid, at.uid_validity), (uid(1), inbox.status.uid_validity));
        let messages = actor.fetch_all(inbox.status.mailbox).await;
        assert_eq!((messages.len(), messages[0].uid, &messages[0].flags), (1, uid(1), &Flags::NONE));
        let now: DateTime<Utc> = fixture.clock.now().into();
        assert_eq!(messages[0].received_at, now);
        assert_eq!(actor.read(inbox.status.mailbox, uid(1)).await, MAIL.as_bytes());
    }
}

/// Law 2 of the design: no accepted transaction puts a message twice into one mailbox.
pub async fn deliver_of_the_same_transaction_stores_once_even_after_expunge(fixture: Fixture) {
    let alice = fixture.actor();
    let transaction = transaction();
    let first = alice.deliver_as(transaction, MAIL).await;
    assert!(first.stored[&alice.id()].is_some());
    let again = fixture.elsewhere(&alice).deliver_as(transaction, MAIL).await;
    assert_eq!(again.stored[&alice.id()], None);
    let inbox = alice.examine("INBOX").await;
    assert_eq!(inbox.status.messages, 1);
    alice.remove(inbox.status.mailbox, &uids(&[1])).await;
    let late = alice.deliver_as(transaction, MAIL).await;
    assert_eq!(late.stored[&alice.id()], None);
    assert_eq!(alice.examine("INBOX").await.status.messages, 0);
}

/// The key is (transaction, account).
pub async fn deliver_adds_the_targets_that_lack_the_transaction(fixture: Fixture) {
    let (alice, bob) = (fixture.actor(), fixture.actor());
    let transaction = transaction();
    alice.deliver_as(transaction, MAIL).await;
    let both = delivery(transaction, &[alice.id(), bob.id()], MAIL);
    let delivered = fixture.mailstore.deliver(both).await.expect("deliver");
    assert_eq!(delivered.stored[&alice.id()], None);
    assert_eq!(delivered.stored[&bob.id()].map(|at| at.uid), Some(uid(1)));
    assert_eq!(alice.examine("INBOX").await.status.messages, 1);
}

/// Exact quota; a message that fits to the octet is taken, a replayed target is not asked.
pub async fn deliver_is_all_or_nothing_and_names_who_refuses(fixture: Fixture) {
    let (alice, bob, carol) = (fixture.actor(), fixture.actor(), fixture.actor());
    let size = MAIL.len() as u64;
    let transaction = transaction();
    let mut request = delivery(transaction, &[alice.id(), bob.id(), carol.id()], MAIL);
    request.targets[1].quota = Quota { bytes: size - 1, messages: 0 };
    request.targets[2].quota = Quota { bytes: size, messages: 1 };
    let over = |account| Refusal { account, reason: RefusalReason::OverQuota };
    let refused = fixture.mailstore.deliver(request.clone()).await;
    assert_eq!(refused, Err(MailstoreError::Refused { refusals: vec![over(bob.id())] }));
    for actor in [&alice, &bob, &carol] {
        assert_eq!(actor.examine("INBOX").await.status.messages, 0, "nothing is stored");
    }
    let mut without_bob = request.clone();
    without_bob.targets.remove(1);
    let delivered = fixture.mailstore.deliver(without_bob.clone()).await.expect("deliver");
    assert!(delivered.stored.values().all(Option::is_some), "the refusal used up no key");
    let again = fixture.mailstore.deliver(without_bob.clone()).await.expect("a replay needs no room");
    assert!(again.stored.values().all(Option::is_none));
    without_bob.transaction = super::actor::transaction();
    let full = fixture.mailstore.deliver(without_bob).await;
    assert_eq!(full, Err(MailstoreError::Refused { refusals: vec![over(carol.id())] }));
    assert_eq!(alice.examine("INBOX").await.status.messages, 1);
}

/// A moved account is resolved again.
pub async fn deliver_refuses_a_stale_epoch(fixture: Fixture) {
    let (alice, bob) = (fixture.actor(), fixture.actor());
    let mut newer = delivery(transaction(), &[alice.id()], MAIL);
    newer.targets[0].epoch = ShardEpoch(2);
    fixture.mailstore.deliver(newer).await.expect("a newer epoch is taken over");
    let stale = delivery(transaction(), &[alice.id(), bob.id()], MAIL);
    let refusal = Refusal { account: alice.id(), reason: RefusalReason::StaleEpoch };
    let refused = fixture.mailstore.deliver(stale).await;
    assert_eq!(refused, Err(MailstoreError::Refused { refusals: vec![refusal] }));
    assert_eq!(bob.examine("INBOX").await.status.messages, 0);
}

/// Defects of the caller.
pub async fn deliver_refuses_no_target_and_a_target_twice(fixture: Fixture) {
    let alice = fixture.actor();
    for targets in [Vec::new(), vec![alice.id(), alice.id()]] {
        let refused = fixture.mailstore.deliver(delivery(transaction(), &targets, MAIL)).await;
        assert!(matches!(refused, Err(MailstoreError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(alice.examine("INBOX").await.status.messages, 0);
}

/// RFC 3501 6.3.11.
pub async fn append_keeps_flags_date_and_octets(fixture: Fixture) {
    let alice = fixture.actor();
    let received_at = DateTime::from_timestamp(1_000_000_000, 0).expect("a time");
    let stored = flags(&[SystemFlag::Draft, SystemFlag::Seen], &["$Label1", "todo"]);
    let request = AppendRequest {
        key: key(),
        mailbox: name("Drafts"),
        flags: stored.clone(),
        received_at: Some(received_at),
        body: body(MAIL),
    };
    let appended = alice.store.append(&alice.access, request).await.expect("append");
    let drafts = alice.examine("Drafts").await;
    assert_eq!((appended.uid, appended.uid_validity), (uid(1), drafts.status.uid_validity));
    let messages = alice.fetch_all(drafts.status.mailbox).await;
    assert_eq!((&messages[0].flags, messages[0].received_at), (&stored, received_at));
    assert_eq!(messages[0].size, MAIL.len() as u64);
    assert_eq!(alice.read(drafts.status.mailbox, uid(1)).await, MAIL.as_bytes());
    assert_eq!(alice.append("Drafts", MAIL, Flags::NONE).await, uid(2));
    let now: DateTime<Utc> = fixture.clock.now().into();
    assert_eq!(alice.fetch_all(drafts.status.mailbox).await[1].received_at, now);
}

/// `NO [TRYCREATE]`.
pub async fn append_refuses_missing_and_noselect_mailboxes(fixture: Fixture) {
    let alice = fixture.actor();
    let missing = alice.try_append("nothing", MAIL, Flags::NONE).await;
    assert_eq!(missing, Err(MailstoreError::MailboxNotFound));
    alice.create("a/b").await;
    alice.store.delete(&alice.access, &name("a")).await.expect("delete");
    let noselect = alice.try_append("a", MAIL, Flags::NONE).await;
    assert!(matches!(noselect, Err(MailstoreError::Cannot { .. })), "{noselect:?}");
    assert_eq!(alice.used().await, (0, 0));
}

/// By octets and by number.
pub async fn append_over_quota_stores_nothing(fixture: Fixture) {
    let size = MAIL.len() as u64;
    for quota in [Quota { bytes: 2 * size - 1, messages: 0 }, Quota { bytes: 0, messages: 1 }] {
        let alice = fixture.limited(quota);
        alice.append("INBOX", MAIL, Flags::NONE).await;
        let over = alice.try_append("Sent", MAIL, Flags::NONE).await;
        assert_eq!(over, Err(MailstoreError::OverQuota));
        assert_eq!(alice.used().await, (size, 1));
        assert_eq!(alice.examine("Sent").await.status.messages, 0);
        let inbox = alice.mailbox("INBOX").await;
        alice.remove(inbox, &uids(&[1])).await;
        alice.append("Sent", MAIL, Flags::NONE).await;
    }
}

/// No octets, all octets, no header, only a header.
pub async fn any_octets_are_a_message(fixture: Fixture) {
    let alice = fixture.actor();
    let sent = alice.mailbox("Sent").await;
    let every_octet: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let only_header = b"Subject: no body\r\n".to_vec();
    let bare = b"a\rb\nc\n\n.\r\n.\n".to_vec();
    for (number, octets) in (1..).zip([Vec::new(), every_octet, only_header, bare]) {
        let request = AppendRequest {
            key: key(),
            mailbox: name("Sent"),
            flags: Flags::NONE,
            received_at: None,
            body: Spooled::from(Bytes::from(octets.clone())),
        };
        let appended = alice.store.append(&alice.access, request).await.expect("append");
        assert_eq!(appended.uid, uid(number));
        assert_eq!(alice.read(sent, appended.uid).await, octets);
        assert_eq!(alice.fetch_all(sent).await.last().map(|message| message.size), Some(octets.len() as u64));
    }
}

/// Larger than a gRPC message, than a chunk, and not a multiple of either.
pub async fn large_bodies_arrive_whole(fixture: Fixture) {
    let alice = fixture.actor();
    let line = "the quick brown fox jumps over the lazy dog, again and again and again 0123\r\n";
    let text = format!("{MAIL}{}end", line.repeat(5 * 1024 * 1024 / line.len()));
    let at = alice.deliver(&text).await;
    let inbox = alice.mailbox("INBOX").await;
    assert!(alice.read(inbox, at.uid).await == text.as_bytes(), "delivered body differs");
    let appended = alice.append("INBOX", &text, Flags::NONE).await;
    assert!(alice.read(inbox, appended).await == text.as_bytes(), "appended body differs");
    assert_eq!(alice.used().await, (2 * text.len() as u64, 2));
}
