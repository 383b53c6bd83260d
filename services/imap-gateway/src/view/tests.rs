use std::num::NonZeroU32;

use proptest::prelude::*;
use staffetta_mailstore_api::{Flags, MailboxStatus};

use super::*;
use crate::wire::sequence::{SequenceNumber, SequenceRange};

fn uid(n: u32) -> Uid {
    Uid::new(n).unwrap()
}

fn uids(numbers: &[u32]) -> UidSet {
    numbers.iter().map(|n| uid(*n)).collect()
}

fn view(numbers: &[u32]) -> View {
    let status = MailboxStatus {
        mailbox: MailboxId(1),
        uid_validity: UidValidity(1),
        uid_next: uid(numbers.iter().max().unwrap_or(&0) + 1),
        highest_modseq: ModSeq(10),
        messages: u32::try_from(numbers.len()).unwrap(),
        unseen: 0,
        recent: 0,
        bytes: 0,
    };
    let opened = Opened {
        status,
        uids: uids(numbers),
        recent: UidSet::new(),
        first_unseen: None,
        keywords: vec![],
        resync: None,
    };
    View::new(MailboxName::inbox(), OpenMode::ReadWrite, &opened)
}

fn delta(modseq: u64) -> SyncDelta {
    SyncDelta {
        uid_validity: UidValidity(1),
        uid_next: uid(1000),
        highest_modseq: ModSeq(modseq),
        full: false,
        appeared: UidSet::new(),
        vanished: UidSet::new(),
        changed: vec![],
        recent: UidSet::new(),
    }
}

fn sequence(first: u32, last: u32) -> SequenceSet {
    let number = |n| NonZeroU32::new(n).map_or(SequenceNumber::Largest, SequenceNumber::Number);
    SequenceSet::new([SequenceRange { first: number(first), last: number(last) }]).unwrap()
}

#[test]
fn expunged_messages_keep_their_numbers_until_told() {
    let mut view = view(&[2, 4, 6]);
    let updates = view.apply(&SyncDelta { vanished: uids(&[2]), appeared: uids(&[7]), ..delta(11) });
    assert_eq!(updates.exists, Some(4));
    assert_eq!(view.number(uid(7)), Some(4));
    assert_eq!(view.resolve(&sequence(1, 1), false), Ok(uids(&[2])));
    assert_eq!(view.tell_expunged(), vec![(1, uid(2))]);
    assert_eq!(view.number(uid(7)), Some(3));
    assert_eq!(view.exists(), 3);
}

#[test]
fn full_delta_finds_what_vanished_by_itself() {
    let mut view = view(&[1, 2, 3, 5]);
    let updates = view.apply(&SyncDelta { full: true, appeared: uids(&[2, 5, 8]), ..delta(99) });
    assert_eq!(updates.exists, Some(5));
    assert_eq!(view.tell_expunged(), vec![(1, uid(1)), (2, uid(3))]);
    assert_eq!(view.uids(), uids(&[2, 5, 8]));
}

#[test]
fn own_flag_changes_are_not_told_twice() {
    let mut view = view(&[1, 2]);
    let run = |n: &[u32], modseq| FlagRun { uids: uids(n), modseq: ModSeq(modseq), flags: Flags::NONE };
    view.note_told(&[run(&[1], 11)]);
    // Message 2 shares the MODSEQ, but somebody else changed it.
    let updates = view.apply(&SyncDelta { changed: vec![run(&[1, 2], 11)], ..delta(12) });
    assert_eq!(updates.flags, vec![run(&[2], 11)]);
    assert_eq!(view.cursor(), ModSeq(12));
}

#[test]
fn flags_of_new_messages_come_with_fetch_not_unasked() {
    let mut view = view(&[1]);
    let run = FlagRun { uids: uids(&[1, 2]), modseq: ModSeq(12), flags: Flags::NONE };
    let updates = view.apply(&SyncDelta { appeared: uids(&[2]), changed: vec![run], ..delta(12) });
    assert_eq!(updates.flags[0].uids, uids(&[1]));
}

#[test]
fn sequence_numbers_beyond_the_mailbox_are_an_error_and_uids_are_not() {
    let empty = view(&[]);
    let view = view(&[3, 9]);
    assert_eq!(view.resolve(&sequence(1, 3), false), Err(NoSuchMessage));
    assert_eq!(view.resolve(&sequence(4, 0), true), Ok(uids(&[9])));
    assert_eq!(view.resolve(&sequence(100, 0), true), Ok(uids(&[9])));
    assert_eq!(view.resolve(&sequence(100, 200), true), Ok(UidSet::new()));
    assert_eq!(empty.resolve(&sequence(1, 0), false), Err(NoSuchMessage));
    assert!(empty.resolve(&sequence(1, 0), true).unwrap().is_empty());
}

/// A client that does exactly what the responses say.
fn replay(client: &mut Vec<u32>, expunged: &[(u32, Uid)]) {
    for (number, uid) in expunged {
        assert_eq!(client.remove(*number as usize - 1), uid.get());
    }
}

proptest! {
    /// For any interleaving of remote changes and moments to tell them, the client's numbers stay those of the view.
    #[test]
    fn numbers_agree_with_a_client_that_follows_the_responses(
        steps in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0u32..4, any::<bool>()), 1..30)
    ) {
        let mut store: Vec<u32> = vec![1, 2, 5];
        let mut client = store.clone();
        let mut next = 6;
        let mut view = view(&store);
        for (removals, additions, tell) in steps {
            let mut vanished = UidSet::new();
            for index in removals {
                if !store.is_empty() {
                    vanished.insert(uid(store.remove(index.index(store.len()))));
                }
            }
            let new: Vec<u32> = (0..additions).map(|n| next + n * 2).collect();
            next += additions * 2 + 1;
            store.extend(&new);
            let updates = view.apply(&SyncDelta { vanished, appeared: uids(&new), ..delta(11) });
            client.extend(&new);
            if let Some(exists) = updates.exists {
                prop_assert_eq!(exists as usize, client.len());
            }
            if tell {
                replay(&mut client, &view.tell_expunged());
                prop_assert_eq!(&client, &store);
            }
            prop_assert_eq!(view.exists() as usize, client.len());
            for (at, n) in client.iter().enumerate() {
                prop_assert_eq!(view.number(uid(*n)), Some(u32::try_from(at).unwrap() + 1));
            }
        }
    }
}
