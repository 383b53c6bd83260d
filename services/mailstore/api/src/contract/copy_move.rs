//! Rules of COPY and MOVE.

use staffetta_directory_api::Quota;

use super::Fixture;
use super::actor::{MAIL, cursor, flags, name, uid, uids};
use crate::{Flags, MailstoreError, SystemFlag, UidSet};

/// RFC 3501 6.4.7.
pub async fn copies_keep_flags_date_and_body(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, flags(&[SystemFlag::Seen], &["k"])).await;
    let inbox = alice.mailbox("INBOX").await;
    let original = alice.fetch_all(inbox).await.remove(0);
    fixture.clock.advance(std::time::Duration::from_secs(3600));
    let copied = alice.copy(inbox, &uids(&[1]), "Archive").await.expect("copy");
    let archive = alice.examine("Archive").await.status;
    assert_eq!(copied.uid_validity, archive.uid_validity);
    let copy = alice.fetch_all(archive.mailbox).await.remove(0);
    assert_eq!(
        (&copy.flags, copy.received_at, copy.size),
        (&original.flags, original.received_at, original.size)
    );
    assert_eq!((&copy.skeleton, &copy.header), (&original.skeleton, &original.header));
    assert_eq!(alice.read(archive.mailbox, copy.uid).await, MAIL.as_bytes());
    assert_eq!(alice.fetch_all(inbox).await, [original], "the source is as it was");
    assert_eq!(alice.used().await, (2 * MAIL.len() as u64, 2));
}

/// RFC 4315 3: the n-th becomes the n-th.
pub async fn copied_uids_pair_up_in_order(fixture: Fixture) {
    let alice = fixture.actor();
    for number in 1..=6 {
        alice.append("INBOX", &format!("number {number}"), Flags::NONE).await;
    }
    alice.append("Archive", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    alice.remove(inbox, &uids(&[3])).await;
    let copied = alice.copy(inbox, &uids(&[2, 3, 4, 6, 90]), "Archive").await.expect("copy");
    assert_eq!((&copied.source, &copied.target), (&uids(&[2, 4, 6]), &uids(&[2, 3, 4])));
    let archive = alice.mailbox("Archive").await;
    for (source, target) in copied.source.iter().zip(copied.target.iter()) {
        assert_eq!(alice.read(inbox, source).await, alice.read(archive, target).await);
    }
    let moved = alice.relocate(inbox, &uids(&[1, 5, 6]), "Archive").await.expect("move");
    assert_eq!((&moved.source, &moved.target), (&uids(&[1, 5, 6]), &uids(&[5, 6, 7])));
    assert_eq!(alice.read(archive, uid(6)).await, b"number 5");
}

/// RFC 3501 6.4.7: restored to its state before the attempt.
pub async fn copy_is_all_or_nothing_within_the_quota(fixture: Fixture) {
    let size = MAIL.len() as u64;
    for quota in [Quota { bytes: 5 * size - 1, messages: 0 }, Quota { bytes: 0, messages: 4 }] {
        let alice = fixture.limited(quota);
        for _ in 0..3 {
            alice.append("INBOX", MAIL, Flags::NONE).await;
        }
        let inbox = alice.mailbox("INBOX").await;
        let over = alice.copy(inbox, &uids(&[1, 2]), "Archive").await;
        assert_eq!(over, Err(MailstoreError::OverQuota));
        assert_eq!(alice.examine("Archive").await.status.messages, 0);
        assert_eq!(alice.used().await, (3 * size, 3));
        let fits = alice.copy(inbox, &uids(&[2]), "Archive").await.expect("copy");
        assert_eq!(fits.target, uids(&[1]), "the refused copy used no UID");
    }
}

/// `NO [TRYCREATE]`.
pub async fn copy_needs_a_selectable_target(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    alice.create("a/b").await;
    alice.store.delete(&alice.access, &name("a")).await.expect("delete");
    assert_eq!(alice.copy(inbox, &uids(&[1]), "nothing").await, Err(MailstoreError::MailboxNotFound));
    assert_eq!(alice.relocate(inbox, &uids(&[1]), "nothing").await, Err(MailstoreError::MailboxNotFound));
    let noselect = alice.copy(inbox, &uids(&[1]), "a").await;
    assert!(matches!(noselect, Err(MailstoreError::Cannot { .. })), "{noselect:?}");
    let noselect = alice.relocate(inbox, &uids(&[1]), "a").await;
    assert!(matches!(noselect, Err(MailstoreError::Cannot { .. })), "{noselect:?}");
    assert_eq!(alice.examine("INBOX").await.status.messages, 1);
}

/// No UID, no MODSEQ; still the generation.
pub async fn copy_of_nothing_changes_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let before = alice.examine("Archive").await.status;
    for set in [uids(&[5]), UidSet::new()] {
        let copied = alice.copy(inbox, &set, "Archive").await.expect("copy");
        assert!(copied.source.is_empty() && copied.target.is_empty());
        assert_eq!(copied.uid_validity, before.uid_validity);
        assert!(alice.relocate(inbox, &set, "Archive").await.expect("move").target.is_empty());
    }
    assert_eq!(alice.examine("Archive").await.status, before);
}

/// Nothing forbids it.
pub async fn copy_into_the_same_mailbox_doubles(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", "one", Flags::NONE).await;
    alice.append("INBOX", "two", Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let copied = alice.copy(inbox, &UidSet::all(), "INBOX").await.expect("copy");
    assert_eq!((&copied.source, &copied.target), (&uids(&[1, 2]), &uids(&[3, 4])));
    assert_eq!(alice.read(inbox, uid(4)).await, b"two");
    let moved = alice.relocate(inbox, &uids(&[1]), "INBOX").await.expect("move");
    assert_eq!(moved.target, uids(&[5]));
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2, 3, 4, 5]));
}

/// RFC 6851.
pub async fn move_takes_messages_away_and_tells_both_mailboxes(fixture: Fixture) {
    let alice = fixture.actor();
    for text in ["one", "two", "three"] {
        alice.append("INBOX", text, flags(&[SystemFlag::Flagged], &["k"])).await;
    }
    let mut here = cursor(&alice.examine("INBOX").await);
    let mut there = cursor(&alice.examine("Archive").await);
    let used = alice.used().await;
    let moved = alice.relocate(here.mailbox, &uids(&[1, 3]), "Archive").await.expect("move");
    assert_eq!((&moved.source, &moved.target), (&uids(&[1, 3]), &uids(&[1, 2])));
    let left = alice.sync(&mut here, false).await;
    assert_eq!((left.vanished, left.highest_modseq), (uids(&[1, 3]), moved.source_modseq));
    let came = alice.sync(&mut there, false).await;
    assert_eq!(came.appeared, uids(&[1, 2]));
    assert!(came.changed.iter().all(|run| run.flags == flags(&[SystemFlag::Flagged], &["k"])));
    assert_eq!(alice.read(there.mailbox, uid(2)).await, b"three");
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[2]));
    assert_eq!(alice.used().await, used);
}

/// It needs no room.
pub async fn move_works_at_the_quota(fixture: Fixture) {
    let alice = fixture.limited(Quota { bytes: MAIL.len() as u64, messages: 1 });
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let moved = alice.relocate(inbox, &uids(&[1]), "Trash").await.expect("move");
    assert_eq!(moved.target, uids(&[1]));
    assert_eq!(alice.used().await, (MAIL.len() as u64, 1));
}
