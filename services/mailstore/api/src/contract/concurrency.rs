//! Rules under concurrency: calls on both handles at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::Fixture;
use super::actor::{Actor, MAIL, body, delivery, flags, key, name, transaction, uids};
use crate::{AppendRequest, ExpungeRequest, Flags, FlagsOperation, MailstoreError, SystemFlag, UidSet};

/// The account on either handle in turn.
fn handles(fixture: &Fixture, actor: &Actor, count: usize) -> Vec<Actor> {
    (0..count).map(|n| if n % 2 == 0 { actor.clone() } else { fixture.elsewhere(actor) }).collect()
}

/// And no gap that a cursor would skip.
pub async fn concurrent_deliveries_get_distinct_uids(fixture: Fixture) {
    let alice = fixture.actor();
    let handles = handles(&fixture, &alice, 24);
    let stored = join_all(handles.iter().map(|handle| handle.deliver(MAIL))).await;
    let distinct: BTreeSet<_> = stored.iter().map(|at| at.uid).collect();
    assert_eq!(distinct.len(), 24);
    let inbox = alice.examine("INBOX").await;
    assert_eq!(inbox.uids, distinct.into_iter().collect());
    assert_eq!(inbox.status.messages, 24);
    let messages = alice.fetch_all(inbox.status.mailbox).await;
    assert!(messages.is_sorted_by_key(|message| message.modseq), "UIDs and MODSEQs grow together");
}

/// A retry that overtakes its original.
pub async fn one_transaction_delivered_at_once_is_stored_once(fixture: Fixture) {
    let alice = fixture.actor();
    let transaction = transaction();
    let handles = handles(&fixture, &alice, 8);
    let answers = join_all(handles.iter().map(|handle| handle.deliver_as(transaction, MAIL))).await;
    let stored = answers.iter().filter(|answer| answer.stored[&alice.id()].is_some()).count();
    assert_eq!(stored, 1);
    assert_eq!(alice.examine("INBOX").await.status.messages, 1);
}

/// With the same answer for all.
pub async fn one_append_repeated_at_once_is_stored_once(fixture: Fixture) {
    let alice = fixture.actor();
    let request = AppendRequest {
        key: key(),
        mailbox: name("Sent"),
        flags: Flags::NONE,
        received_at: None,
        body: body(MAIL),
    };
    let handles = handles(&fixture, &alice, 6);
    let answers =
        join_all(handles.iter().map(|handle| handle.store.append(&handle.access, request.clone()))).await;
    let distinct: BTreeSet<_> = answers.into_iter().map(|answer| answer.expect("append").uid).collect();
    assert_eq!(distinct.len(), 1);
    assert_eq!(alice.examine("Sent").await.status.messages, 1);
}

/// Locks are taken in account order: no deadlock shows.
pub async fn crossing_deliveries_to_many_accounts_all_succeed(fixture: Fixture) {
    let actors: Vec<_> = (0..4).map(|_| fixture.actor()).collect();
    let mut forth: Vec<_> = actors.iter().map(Actor::id).collect();
    let mut requests = Vec::new();
    for _ in 0..6 {
        requests.push(delivery(transaction(), &forth, MAIL));
        forth.reverse();
        requests.push(delivery(transaction(), &forth, MAIL));
        forth.rotate_left(1);
    }
    let count = u32::try_from(requests.len()).expect("a few");
    let deliveries = requests.into_iter().enumerate().map(|(n, request)| {
        let store = if n % 2 == 0 { &fixture.mailstore } else { &fixture.other };
        store.deliver(request)
    });
    for delivered in join_all(deliveries).await {
        assert!(delivered.expect("deliver").stored.values().all(Option::is_some));
    }
    for actor in &actors {
        assert_eq!(actor.examine("INBOX").await.status.messages, count);
    }
}

/// No lost update.
pub async fn concurrent_flag_changes_are_all_kept(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let keywords: Vec<_> = (0..10).map(|n| format!("k{n}")).collect();
    let handles = handles(&fixture, &alice, keywords.len());
    let changes = handles.iter().zip(&keywords).map(|(handle, keyword)| {
        let flags = flags(&[], &[keyword]);
        async move { handle.flag(inbox, &uids(&[1]), FlagsOperation::Add, &flags).await }
    });
    let modseqs: BTreeSet<_> =
        join_all(changes).await.into_iter().map(|outcome| outcome.highest_modseq).collect();
    assert_eq!(modseqs.len(), keywords.len(), "each change has its own MODSEQ");
    let kept = alice.fetch_all(inbox).await.remove(0).flags;
    assert_eq!(kept.keywords().len(), keywords.len());
}

/// Each vanished UID is told by one of them.
pub async fn each_message_is_expunged_by_one_session(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..10 {
        alice.append("INBOX", MAIL, flags(&[SystemFlag::Deleted], &[])).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    let handles = handles(&fixture, &alice, 4);
    let answers = join_all(handles.iter().map(|handle| {
        let request = ExpungeRequest { key: key(), mailbox: inbox, uids: None };
        async move { handle.store.expunge(&handle.access, &request).await.expect("expunge") }
    }))
    .await;
    assert_eq!(answers.iter().map(|expunged| expunged.uids.len()).sum::<u64>(), 10);
    assert_eq!(alice.used().await, (0, 0));
}

/// Others are in use.
pub async fn a_maildrop_is_leased_to_one_session(fixture: Fixture) {
    let alice = fixture.actor();
    let handles = handles(&fixture, &alice, 8);
    let answers = join_all(handles.iter().map(|handle| handle.store.open_maildrop(&handle.access))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = answers.into_iter().filter_map(Result::err);
    assert!(refused.into_iter().all(|error| error == MailstoreError::MaildropInUse));
}

/// Quota, STATUS and SELECT tell the same afterwards, and a cursor from before catches up.
pub async fn counters_agree_after_a_storm(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..6 {
        alice.deliver(MAIL).await;
    }
    let opened = alice.examine("INBOX").await;
    let mut at = super::actor::cursor(&opened);
    let inbox = at.mailbox;
    let there = fixture.elsewhere(&alice);
    let round = async |actor: &Actor, number: u32| {
        actor.deliver(MAIL).await;
        actor.copy(inbox, &uids(&[number]), "Archive").await.expect("copy");
        actor.relocate(inbox, &uids(&[number]), "Trash").await.expect("move");
        actor.append("INBOX", MAIL, Flags::NONE).await;
        actor.remove(inbox, &uids(&[number + 3])).await;
    };
    tokio::join!(round(&alice, 1), round(&there, 2), round(&alice, 3), round(&there, 1));
    let (mut bytes, mut messages) = (0, 0);
    for mailbox in ["INBOX", "Archive", "Trash"] {
        let opened = alice.examine(mailbox).await;
        assert_eq!(opened.uids.len(), u64::from(opened.status.messages));
        let found = alice.fetch_all(opened.status.mailbox).await;
        assert_eq!(found.iter().map(|message| message.size).sum::<u64>(), opened.status.bytes);
        assert_eq!(found.iter().map(|message| message.uid).collect::<UidSet>(), opened.uids);
        bytes += opened.status.bytes;
        messages += u64::from(opened.status.messages);
    }
    assert_eq!(alice.used().await, (bytes, messages));
    let delta = alice.sync(&mut at, false).await;
    let caught_up = opened.uids.difference(&delta.vanished).union(&delta.appeared);
    assert_eq!(caught_up, alice.examine("INBOX").await.uids);
}
