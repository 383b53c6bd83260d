//! Rules of cursors and deltas.

use super::Fixture;
use super::actor::{Actor, MAIL, cursor, flags, name, uid, uids};
use crate::{
    Flags, FlagsOperation, ModSeq, OpenMode, OpenRequest, ResyncRequest, SyncDelta, SystemFlag, UidSet,
    UidValidity,
};

/// What is changed, flattened: the messages whose flags the delta tells.
fn changed(delta: &SyncDelta) -> UidSet {
    delta.changed.iter().flat_map(|run| run.uids.runs()).collect()
}

async fn inbox_of(alice: &Actor, messages: usize) {
    for _ in 0..messages {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
}

/// The cursor stands still.
pub async fn nothing_new_is_an_empty_delta(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 2).await;
    let mut at = cursor(&alice.examine("INBOX").await);
    let before = at;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!(at, before);
    assert!(delta.appeared.is_empty() && delta.vanished.is_empty() && delta.recent.is_empty());
    assert!(delta.changed.is_empty() && !delta.full, "{delta:?}");
    // Changes elsewhere are not this mailbox's.
    alice.append("Sent", MAIL, Flags::NONE).await;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!((at, delta.changed.len()), (before, 0));
}

/// With flags and MODSEQ, so that no FETCH is needed.
pub async fn new_messages_appear_with_their_flags(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 1).await;
    let mut at = cursor(&alice.examine("INBOX").await);
    let before = at;
    let elsewhere = fixture.elsewhere(&alice);
    elsewhere.append("INBOX", MAIL, flags(&[SystemFlag::Seen], &["todo"])).await;
    elsewhere.deliver(MAIL).await;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!((delta.appeared.clone(), delta.uid_next), (uids(&[2, 3]), uid(4)));
    assert_eq!(changed(&delta), uids(&[2, 3]));
    let run = delta.changed.iter().find(|run| run.uids.contains(uid(2))).expect("flags of 2");
    assert_eq!(run.flags, flags(&[SystemFlag::Seen], &["todo"]));
    assert!(run.modseq > before.since && delta.highest_modseq >= run.modseq);
    assert!(alice.sync(&mut at, false).await.appeared.is_empty());
}

/// Any pod serves any session.
pub async fn flag_changes_of_another_session_are_told(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 5).await;
    let mut at = cursor(&alice.examine("INBOX").await);
    let flagged = flags(&[SystemFlag::Flagged], &[]);
    let elsewhere = fixture.elsewhere(&alice);
    let outcome = elsewhere.flag(at.mailbox, &uids(&[2, 4]), FlagsOperation::Add, &flagged).await;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!(changed(&delta), uids(&[2, 4]));
    assert!(delta.changed.iter().all(|run| run.flags == flagged));
    assert_eq!(delta.changed, outcome.stored, "both tell the same MODSEQs");
    assert_eq!(delta.highest_modseq, outcome.highest_modseq);
    assert!(delta.appeared.is_empty() && delta.vanished.is_empty());
}

/// RFC 7162 3.2.10.
pub async fn expunged_messages_vanish(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 4).await;
    let mut at = cursor(&alice.examine("INBOX").await);
    let expunged = fixture.elsewhere(&alice).remove(at.mailbox, &uids(&[2, 3])).await;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!((delta.vanished, delta.full), (uids(&[2, 3]), false));
    assert_eq!(delta.highest_modseq, expunged.highest_modseq);
    assert_eq!(delta.uid_next, uid(5));
    assert!(changed(&alice.sync(&mut at, false).await).is_empty());
}

/// It was never there for this session.
pub async fn what_came_and_went_between_is_not_told_as_new(fixture: Fixture) {
    let alice = fixture.actor();
    let mut at = cursor(&alice.examine("INBOX").await);
    inbox_of(&alice, 2).await;
    alice.remove(at.mailbox, &uids(&[1])).await;
    let delta = alice.sync(&mut at, false).await;
    assert_eq!((delta.appeared.clone(), changed(&delta)), (uids(&[2]), uids(&[2])));
    assert_eq!(delta.uid_next, uid(3));
}

/// What a session knows and does not find there has vanished.
pub async fn below_the_floor_a_delta_is_full(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 4).await;
    let mut old = cursor(&alice.examine("INBOX").await);
    alice.remove(old.mailbox, &uids(&[2])).await;
    let mut present = cursor(&alice.examine("INBOX").await);
    (fixture.forget_expunged)(alice.id()).await;
    inbox_of(&alice, 1).await;
    let delta = alice.sync(&mut old, false).await;
    assert!(delta.full, "{delta:?}");
    assert_eq!((delta.appeared.clone(), delta.vanished.clone()), (uids(&[1, 3, 4, 5]), UidSet::new()));
    assert!(changed(&delta).contains(uid(5)));
    let delta = alice.sync(&mut present, false).await;
    assert_eq!(
        (delta.full, delta.appeared),
        (false, uids(&[5])),
        "a cursor above the floor is served from the journal"
    );
    alice.remove(old.mailbox, &uids(&[3])).await;
    let delta = alice.sync(&mut old, false).await;
    assert_eq!((delta.full, delta.vanished), (false, uids(&[3])));
}

/// One counter per account: no MODSEQ is used twice.
pub async fn modseq_grows_with_every_change_over_all_mailboxes(fixture: Fixture) {
    let alice = fixture.actor();
    let (inbox, sent) = (alice.mailbox("INBOX").await, alice.mailbox("Sent").await);
    let seen = flags(&[SystemFlag::Seen], &[]);
    let mut last = ModSeq(0);
    for _ in 0..2 {
        let first = alice.append("INBOX", MAIL, Flags::NONE).await;
        let appended = alice.examine("INBOX").await.status.highest_modseq;
        let second = alice.append("Sent", MAIL, Flags::NONE).await;
        let other = alice.examine("Sent").await.status.highest_modseq;
        let first: UidSet = [first].into_iter().collect();
        let stored = alice.flag(inbox, &first, FlagsOperation::Add, &seen).await.highest_modseq;
        alice.copy(inbox, &first, "Archive").await.expect("copy");
        let archive = alice.examine("Archive").await.status.highest_modseq;
        let expunged = alice.remove(sent, &[second].into_iter().collect()).await.highest_modseq;
        alice.deliver(MAIL).await;
        let delivered = alice.examine("INBOX").await.status.highest_modseq;
        for modseq in [appended, other, stored, archive, expunged, delivered] {
            assert!(modseq > last, "{modseq:?} after {last:?}");
            last = modseq;
        }
    }
}

async fn reopen(alice: &Actor, resync: ResyncRequest) -> Option<SyncDelta> {
    let request = OpenRequest { name: name("INBOX"), mode: OpenMode::ReadOnly, resync: Some(resync) };
    alice.store.open(&alice.access, &request).await.expect("open").resync
}

/// RFC 7162 3.2.5.
pub async fn resync_on_open_tells_what_changed_and_vanished(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 6).await;
    let before = alice.examine("INBOX").await.status;
    alice.remove(before.mailbox, &uids(&[2, 5])).await;
    alice.flag(before.mailbox, &uids(&[3]), FlagsOperation::Add, &flags(&[SystemFlag::Seen], &[])).await;
    inbox_of(&alice, 1).await;
    let known = |known_uids| ResyncRequest {
        uid_validity: before.uid_validity,
        modseq: before.highest_modseq,
        known_uids,
    };
    let delta = reopen(&alice, known(None)).await.expect("same generation");
    assert_eq!((delta.full, delta.vanished.clone()), (false, uids(&[2, 5])));
    assert_eq!(changed(&delta), uids(&[3, 7]));
    assert!(delta.highest_modseq > before.highest_modseq);
    let delta = reopen(&alice, known(Some(uids(&[1, 2, 3, 4])))).await.expect("same generation");
    assert_eq!(delta.vanished, uids(&[2]), "of the known ones only");
    assert!(changed(&delta).contains(uid(3)));
    let now = alice.examine("INBOX").await.status;
    let current = ResyncRequest { modseq: now.highest_modseq, ..known(None) };
    let delta = reopen(&alice, current).await.expect("same generation");
    assert!(delta.vanished.is_empty() && delta.changed.is_empty() && !delta.full, "{delta:?}");
}

/// Another UIDVALIDITY: the client starts anew.
pub async fn resync_of_another_generation_is_void(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 1).await;
    let status = alice.examine("INBOX").await.status;
    let uid_validity = UidValidity(status.uid_validity.0 - 1);
    let resync = ResyncRequest { uid_validity, modseq: status.highest_modseq, known_uids: None };
    assert_eq!(reopen(&alice, resync).await, None);
}

/// As for Sync.
pub async fn resync_below_the_floor_is_full(fixture: Fixture) {
    let alice = fixture.actor();
    inbox_of(&alice, 3).await;
    let before = alice.examine("INBOX").await.status;
    alice.remove(before.mailbox, &uids(&[1])).await;
    (fixture.forget_expunged)(alice.id()).await;
    let modseq = before.highest_modseq;
    let resync = ResyncRequest { uid_validity: before.uid_validity, modseq, known_uids: Some(uids(&[1, 2])) };
    let delta = reopen(&alice, resync).await.expect("same generation");
    assert_eq!((delta.full, delta.appeared, delta.vanished), (true, uids(&[2, 3]), UidSet::new()));
}
