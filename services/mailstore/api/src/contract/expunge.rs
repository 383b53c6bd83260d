//! Rules of EXPUNGE and UID EXPUNGE.

use super::Fixture;
use super::actor::{MAIL, flags, uid, uids};
use crate::{Flags, FlagsOperation, SystemFlag};

/// RFC 4315 2.1.
pub async fn only_deleted_messages_among_the_asked_go(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..5 {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    let deleted = flags(&[SystemFlag::Deleted], &[]);
    alice.flag(inbox, &uids(&[1, 2, 4]), FlagsOperation::Add, &deleted).await;
    let some = alice.expunge(inbox, Some(uids(&[2, 3, 77]))).await;
    assert_eq!(some.uids, uids(&[2]));
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[1, 3, 4, 5]));
    let rest = alice.expunge(inbox, None).await;
    assert_eq!(rest.uids, uids(&[1, 4]));
    assert_eq!(alice.examine("INBOX").await.uids, uids(&[3, 5]));
}

/// HIGHESTMODSEQ covers expunges (RFC 7162 3.2.10).
pub async fn expunge_frees_quota_and_raises_modseq(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..3 {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    alice.flag(inbox, &uids(&[1, 3]), FlagsOperation::Add, &flags(&[SystemFlag::Deleted], &[])).await;
    let before = alice.examine("INBOX").await.status;
    let expunged = alice.expunge(inbox, None).await;
    let after = alice.examine("INBOX").await.status;
    assert!(expunged.highest_modseq > before.highest_modseq);
    assert_eq!(after.highest_modseq, expunged.highest_modseq);
    assert_eq!((after.messages, after.bytes), (1, MAIL.len() as u64));
    assert_eq!(alice.used().await, (MAIL.len() as u64, 1));
}

/// No needless news.
pub async fn expunge_of_nothing_changes_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let before = alice.examine("INBOX").await.status;
    for set in [None, Some(uids(&[1])), Some(uids(&[9]))] {
        let expunged = alice.expunge(before.mailbox, set).await;
        assert!(expunged.uids.is_empty());
        assert_eq!(expunged.highest_modseq, before.highest_modseq);
    }
    assert_eq!(alice.examine("INBOX").await.status, before);
}

/// Also when the newest message went (RFC 3501 2.3.1.1).
pub async fn uids_are_never_used_twice(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = alice.mailbox("INBOX").await;
    for number in 1..=3 {
        assert_eq!(alice.append("INBOX", MAIL, Flags::NONE).await, uid(number));
        alice.remove(inbox, &uids(&[number])).await;
        assert_eq!(alice.examine("INBOX").await.status.uid_next, uid(number + 1));
    }
    assert_eq!(alice.deliver(MAIL).await.uid, uid(4));
}
