//! Rules of `\Recent` (RFC 3501 2.3.2): one session is told, and only one.

use super::Fixture;
use super::actor::{MAIL, cursor, name, uid, uids};
use crate::{Flags, UidSet};

/// The first SELECT gets them, the next none.
pub async fn select_claims_recent_once(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    alice.deliver(MAIL).await;
    let first = alice.select("INBOX").await;
    assert_eq!((first.recent.clone(), first.status.recent), (uids(&[1, 2]), 2));
    let second = fixture.elsewhere(&alice).select("INBOX").await;
    assert_eq!((second.recent.clone(), second.status.recent), (UidSet::new(), 0));
    assert_eq!(first.status.highest_modseq, second.status.highest_modseq, "a claim takes no MODSEQ");
    alice.deliver(MAIL).await;
    assert_eq!(alice.store.status(&alice.access, &name("INBOX")).await.expect("status").recent, 1);
    assert_eq!(fixture.elsewhere(&alice).select("INBOX").await.recent, uids(&[3]));
}

/// EXAMINE shows what a SELECT would claim.
pub async fn examine_claims_nothing(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    for _ in 0..2 {
        let examined = alice.examine("INBOX").await;
        assert_eq!((examined.recent, examined.status.recent), (uids(&[1]), 1));
    }
    let mut at = cursor(&alice.examine("INBOX").await);
    alice.deliver(MAIL).await;
    assert_eq!(alice.sync(&mut at, false).await.appeared, uids(&[2]));
    assert_eq!(alice.select("INBOX").await.recent, uids(&[1, 2]));
}

/// Two sessions have the mailbox selected when mail comes.
pub async fn sync_claims_recent_for_one_session_only(fixture: Fixture) {
    let (alice, elsewhere) = {
        let alice = fixture.actor();
        (alice.clone(), fixture.elsewhere(&alice))
    };
    let mut here = cursor(&alice.select("INBOX").await);
    let mut there = cursor(&elsewhere.select("INBOX").await);
    for round in 1..=5 {
        alice.deliver(MAIL).await;
        let (first, second) = tokio::join!(alice.sync(&mut here, true), elsewhere.sync(&mut there, true));
        assert_eq!((&first.appeared, &second.appeared), (&uids(&[round]), &uids(&[round])));
        assert_eq!(first.recent.len() + second.recent.len(), 1, "one of them: {first:?} {second:?}");
    }
    assert!(alice.select("INBOX").await.recent.is_empty());
}

/// RFC 3501 6.4.7.
pub async fn copies_are_recent_in_their_mailbox(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.select("INBOX").await;
    assert_eq!(inbox.recent, uids(&[1]));
    alice.copy(inbox.status.mailbox, &uids(&[1]), "Archive").await.expect("copy");
    assert_eq!(alice.select("Archive").await.recent, [uid(1)].into_iter().collect());
}
