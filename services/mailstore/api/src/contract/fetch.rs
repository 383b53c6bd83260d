//! Rules of FETCH without bodies.

use futures_util::future::join_all;
use staffetta_message::skeleton::Skeleton;

use super::Fixture;
use super::actor::{MAIL, flags, uid, uids};
use crate::{FetchItems, FetchRequest, Flags, FlagsOperation, SystemFlag, UidSet};

/// Whatever is asked for, the cheap items come.
pub async fn metadata_comes_in_uid_order_without_missing_messages(fixture: Fixture) {
    let alice = fixture.actor();
    for (text, stored) in
        [("one", Flags::NONE), ("three", flags(&[SystemFlag::Flagged], &["x"])), ("seven", Flags::NONE)]
    {
        alice.append("INBOX", text, stored).await;
    }
    let mailbox = alice.mailbox("INBOX").await;
    alice.remove(mailbox, &uids(&[1])).await;
    let request =
        FetchRequest { mailbox, uids: UidSet::all(), items: FetchItems::default(), changed_since: None };
    let messages = alice.fetch(request.clone()).await;
    let summary: Vec<_> = messages.iter().map(|message| (message.uid, message.size)).collect();
    assert_eq!(summary, [(uid(2), 5), (uid(3), 5)]);
    assert_eq!(messages[0].flags, flags(&[SystemFlag::Flagged], &["x"]));
    assert!(messages[0].modseq < messages[1].modseq);
    assert!(messages.iter().all(|message| message.skeleton.is_none() && message.header.is_none()));
    let some = alice.fetch(FetchRequest { uids: uids(&[1, 3, 9]), ..request.clone() }).await;
    assert_eq!(some.iter().map(|message| message.uid).collect::<Vec<_>>(), [uid(3)]);
    assert!(alice.fetch(FetchRequest { uids: UidSet::new(), ..request }).await.is_empty());
}

/// From the database: envelope and structure, and the header to the octet.
pub async fn skeleton_and_header_come_when_asked_for(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let mailbox = alice.mailbox("INBOX").await;
    let fetch = async |skeleton, header| {
        let items = FetchItems { skeleton, header };
        let request = FetchRequest { mailbox, uids: UidSet::all(), items, changed_since: None };
        let mut messages = alice.fetch(request).await;
        messages.pop().expect("the message")
    };
    let both = fetch(true, true).await;
    let skeleton = Skeleton::decode(&both.skeleton.expect("skeleton")).expect("a skeleton");
    assert_eq!(skeleton.size, MAIL.len() as u64);
    assert_eq!(skeleton.envelope.subject.as_deref(), Some(&b"hello"[..]));
    let header_len = MAIL.find("\r\n\r\n").expect("header") + 4;
    assert_eq!(both.header.as_deref(), Some(&MAIL.as_bytes()[..header_len]));
    let header = fetch(false, true).await;
    assert!(header.skeleton.is_none() && header.header.is_some());
    let skeleton = fetch(true, false).await;
    assert!(skeleton.skeleton.is_some() && skeleton.header.is_none());
}

/// RFC 7162 3.1.4.1.
pub async fn changed_since_leaves_older_messages_out(fixture: Fixture) {
    let alice = fixture.actor();
    for _ in 0..3 {
        alice.append("INBOX", MAIL, Flags::NONE).await;
    }
    let before = alice.examine("INBOX").await.status;
    let seen = flags(&[SystemFlag::Seen], &[]);
    let stored = alice.flag(before.mailbox, &uids(&[2]), FlagsOperation::Add, &seen).await;
    let request = FetchRequest {
        mailbox: before.mailbox,
        uids: UidSet::all(),
        items: FetchItems::default(),
        changed_since: Some(before.highest_modseq),
    };
    let messages = alice.fetch(request.clone()).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].uid, messages[0].modseq, &messages[0].flags),
        (uid(2), stored.highest_modseq, &seen)
    );
    let none = FetchRequest { changed_since: Some(stored.highest_modseq), ..request };
    assert!(alice.fetch(none).await.is_empty());
}

/// More than one batch of a stream.
pub async fn hundreds_of_messages_arrive_in_order(fixture: Fixture) {
    const COUNT: u32 = 600;
    let alice = fixture.actor();
    let seed = alice.append("INBOX", MAIL, Flags::NONE).await;
    let mailbox = alice.mailbox("INBOX").await;
    // Doubling is quicker than storing each.
    while alice.examine("INBOX").await.status.messages < COUNT {
        alice.copy(mailbox, &UidSet::all(), "INBOX").await.expect("copy");
    }
    let last = alice.examine("INBOX").await.uids.last().expect("messages");
    let messages = alice.fetch_all(mailbox).await;
    let found: Vec<_> = messages.iter().map(|message| message.uid).collect();
    assert_eq!((found.first(), found.last()), (Some(&seed), Some(&last)));
    assert!(found.is_sorted() && found.len() >= COUNT as usize, "{} messages", found.len());
    assert!(messages.iter().all(|message| message.skeleton.is_some() && message.header.is_some()));
    let parallel = join_all((0..3).map(|_| alice.fetch_all(mailbox))).await;
    assert!(parallel.iter().all(|other| *other == messages));
}
