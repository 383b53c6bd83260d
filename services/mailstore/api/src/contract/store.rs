//! Rules of STORE.

use super::Fixture;
use super::actor::{Actor, MAIL, flags, key, uid, uids};
use crate::{Flags, FlagsOperation, MailboxId, StoreRequest, SystemFlag, UidSet};

async fn inbox_of(alice: &Actor, messages: usize) -> MailboxId {
    for _ in 0..messages {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    alice.mailbox("INBOX").await
}

/// RFC 3501 6.4.6.
pub async fn flags_are_replaced_added_and_removed(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = inbox_of(&alice, 1).await;
    let mut modseq = alice.examine("INBOX").await.status.highest_modseq;
    let first = flags(&[SystemFlag::Seen, SystemFlag::Flagged], &["a", "b"]);
    for (operation, operand, expected) in [
        (FlagsOperation::Replace, first.clone(), first),
        (
            FlagsOperation::Add,
            flags(&[SystemFlag::Draft], &["c"]),
            flags(&[SystemFlag::Seen, SystemFlag::Flagged, SystemFlag::Draft], &["a", "b", "c"]),
        ),
        (
            FlagsOperation::Remove,
            flags(&[SystemFlag::Seen, SystemFlag::Answered], &["b", "z"]),
            flags(&[SystemFlag::Flagged, SystemFlag::Draft], &["a", "c"]),
        ),
        (FlagsOperation::Replace, flags(&[SystemFlag::Answered], &[]), flags(&[SystemFlag::Answered], &[])),
        (FlagsOperation::Replace, Flags::NONE, Flags::NONE),
    ] {
        let outcome = alice.flag(inbox, &uids(&[1]), operation, &operand).await;
        assert_eq!(outcome.stored.len(), 1);
        assert_eq!((&outcome.stored[0].uids, &outcome.stored[0].flags), (&uids(&[1]), &expected));
        assert!(outcome.stored[0].modseq > modseq && outcome.highest_modseq == outcome.stored[0].modseq);
        assert!(outcome.modified.is_empty());
        modseq = outcome.highest_modseq;
        assert_eq!(alice.fetch_all(inbox).await[0].flags, expected);
    }
}

/// RFC 7162 3.1.3: the others are stored.
pub async fn unchanged_since_holds_changed_messages_back(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = inbox_of(&alice, 4).await;
    let known = alice.examine("INBOX").await.status.highest_modseq;
    let other = flags(&[SystemFlag::Answered], &[]);
    fixture.elsewhere(&alice).flag(inbox, &uids(&[2]), FlagsOperation::Add, &other).await;
    let request = StoreRequest {
        key: key(),
        mailbox: inbox,
        // The newest has exactly the MODSEQ that is known.
        uids: uids(&[1, 2, 3, 4, 99]),
        operation: FlagsOperation::Add,
        flags: flags(&[SystemFlag::Seen], &[]),
        unchanged_since: Some(known),
    };
    let outcome = alice.store.store(&alice.access, &request).await.expect("store");
    assert_eq!(outcome.modified, uids(&[2]));
    let stored: UidSet = outcome.stored.iter().flat_map(|run| run.uids.runs()).collect();
    assert_eq!(stored, uids(&[1, 3, 4]));
    let now: Vec<_> = alice.fetch_all(inbox).await.into_iter().map(|message| message.flags).collect();
    let seen = flags(&[SystemFlag::Seen], &[]);
    assert_eq!(now, [seen.clone(), other, seen.clone(), seen]);
    let never = StoreRequest { key: key(), unchanged_since: Some(crate::ModSeq(0)), ..request };
    let outcome = alice.store.store(&alice.access, &never).await.expect("store");
    assert_eq!((outcome.modified, outcome.stored.len()), (uids(&[1, 2, 3, 4]), 0));
}

/// No needless news for other sessions.
pub async fn flags_that_are_so_already_keep_their_modseq(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = inbox_of(&alice, 2).await;
    let seen = flags(&[SystemFlag::Seen], &["k"]);
    let first = alice.flag(inbox, &uids(&[1]), FlagsOperation::Add, &seen).await;
    let second = alice.flag(inbox, &uids(&[1]), FlagsOperation::Add, &seen).await;
    assert_eq!((&second.stored, second.highest_modseq), (&first.stored, first.highest_modseq));
    let both = alice.flag(inbox, &uids(&[1, 2]), FlagsOperation::Replace, &seen).await;
    let run = |wanted| both.stored.iter().find(|run| run.uids.contains(uid(wanted))).map(|run| run.modseq);
    assert_eq!(run(1), Some(first.highest_modseq));
    assert!(run(2) > run(1));
}

/// Compared without regard to case (RFC 3501 2.3.2).
pub async fn keywords_keep_their_first_spelling(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = inbox_of(&alice, 1).await;
    alice.flag(inbox, &uids(&[1]), FlagsOperation::Add, &flags(&[], &["$Forwarded"])).await;
    let outcome =
        alice.flag(inbox, &uids(&[1]), FlagsOperation::Add, &flags(&[], &["$FORWARDED", "New"])).await;
    let spelled: Vec<_> = outcome.stored[0].flags.keywords().iter().map(|keyword| keyword.as_str()).collect();
    assert_eq!(spelled, ["$Forwarded", "New"]);
    alice.flag(inbox, &uids(&[1]), FlagsOperation::Remove, &flags(&[], &["$forwarded"])).await;
    assert_eq!(alice.fetch_all(inbox).await[0].flags, flags(&[], &["New"]));
}

/// The caller compares.
pub async fn missing_messages_are_left_out(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = inbox_of(&alice, 2).await;
    let before = alice.examine("INBOX").await.status.highest_modseq;
    let outcome =
        alice.flag(inbox, &uids(&[7, 8]), FlagsOperation::Add, &flags(&[SystemFlag::Seen], &[])).await;
    assert_eq!((outcome.stored.len(), outcome.modified.len(), outcome.highest_modseq), (0, 0, before));
    let outcome =
        alice.flag(inbox, &UidSet::all(), FlagsOperation::Add, &flags(&[SystemFlag::Seen], &[])).await;
    let stored: UidSet = outcome.stored.iter().flat_map(|run| run.uids.runs()).collect();
    assert_eq!(stored, uids(&[1, 2]));
}
