//! Rules of the mailbox hierarchy.

use std::time::{Duration, UNIX_EPOCH};

use staffetta_chassis::clock::Clock as _;

use super::Fixture;
use super::actor::{MAIL, flags, key, name, uid, uids};
use crate::{
    BodyRange, ExpungeRequest, FetchItems, FetchRequest, Flags, FlagsOperation, MailboxName, MailstoreError,
    ModSeq, OpenMode, OpenRequest, SearchKey, SearchRequest, SpecialUse, StoreRequest, SyncRequest,
    SystemFlag, UidSet,
};

/// The first call of an account finds them.
pub async fn an_account_comes_with_default_mailboxes_all_subscribed(fixture: Fixture) {
    let alice = fixture.actor();
    let listing = alice.store.list(&alice.access).await.expect("list");
    let found: Vec<_> =
        listing.mailboxes.iter().map(|mailbox| (mailbox.name.as_str(), mailbox.special_use)).collect();
    let expected = [
        ("Archive", Some(SpecialUse::Archive)),
        ("Drafts", Some(SpecialUse::Drafts)),
        ("INBOX", None),
        ("Junk", Some(SpecialUse::Junk)),
        ("Sent", Some(SpecialUse::Sent)),
        ("Trash", Some(SpecialUse::Trash)),
    ];
    assert_eq!(found, expected);
    assert!(listing.mailboxes.iter().all(|mailbox| mailbox.selectable));
    let names: Vec<_> = listing.mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect();
    assert_eq!(listing.subscriptions, names);
    let again = fixture.elsewhere(&alice);
    assert_eq!(again.store.list(&again.access).await.expect("list"), listing, "they are made once");
}

/// `CREATE a/b/c` makes `a` and `a/b`.
pub async fn create_makes_missing_parents_and_refuses_a_taken_name(fixture: Fixture) {
    let alice = fixture.actor();
    let made = alice.store.create(&alice.access, &name("work/2024/june"), None).await.expect("create");
    assert_eq!((made.name.as_str(), made.selectable, made.special_use), ("work/2024/june", true, None));
    let names = alice.names().await;
    for expected in ["work", "work/2024", "work/2024/june"] {
        assert!(names.iter().any(|name| name == expected), "{expected} in {names:?}");
    }
    assert!(names.is_sorted(), "{names:?}");
    let again = alice.store.create(&alice.access, &name("work/2024"), None).await;
    assert_eq!(again, Err(MailstoreError::MailboxExists));
    let opened = alice.examine("work/2024/june").await;
    assert_eq!((opened.status.messages, opened.status.uid_next), (0, uid(1)));
}

/// RFC 6154.
pub async fn create_keeps_the_special_use(fixture: Fixture) {
    let alice = fixture.actor();
    alice.store.delete(&alice.access, &name("Archive")).await.expect("delete");
    let made =
        alice.store.create(&alice.access, &name("Old"), Some(SpecialUse::Archive)).await.expect("create");
    assert_eq!(made.special_use, Some(SpecialUse::Archive));
    let listing = alice.store.list(&alice.access).await.expect("list");
    let old = listing.mailboxes.into_iter().find(|mailbox| mailbox.name == name("Old"));
    assert_eq!(old, Some(made));
}

/// RFC 3501 5.1.
pub async fn inbox_is_one_in_any_case(fixture: Fixture) {
    let alice = fixture.actor();
    assert_eq!(alice.mailbox("inBox").await, alice.mailbox("INBOX").await);
    let taken = alice.store.create(&alice.access, &name("inbox"), None).await;
    assert_eq!(taken, Err(MailstoreError::MailboxExists));
    alice.create("Inbox/lists").await;
    assert!(alice.names().await.iter().any(|name| name == "INBOX/lists"));
}

/// STATUS answers from one snapshot.
pub async fn status_counts_messages_unseen_and_octets(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("Sent", MAIL, flags(&[SystemFlag::Seen], &[])).await;
    alice.append("Sent", "short", Flags::NONE).await;
    let status = alice.store.status(&alice.access, &name("Sent")).await.expect("status");
    assert_eq!((status.messages, status.unseen, status.recent), (2, 1, 2));
    assert_eq!(status.bytes, MAIL.len() as u64 + 5);
    assert_eq!(status.uid_next, uid(3));
    assert!(status.uid_validity.0 > 0 && status.highest_modseq > ModSeq(0));
    alice.remove(status.mailbox, &uids(&[1])).await;
    let after = alice.store.status(&alice.access, &name("Sent")).await.expect("status");
    assert_eq!((after.messages, after.unseen, after.bytes, after.uid_next), (1, 1, 5, uid(3)));
    assert!(after.highest_modseq > status.highest_modseq);
}

/// SELECT in one call.
pub async fn open_shows_uids_first_unseen_and_keywords(fixture: Fixture) {
    let alice = fixture.actor();
    for message in [flags(&[SystemFlag::Seen], &["todo"]), flags(&[], &["$Junk"]), Flags::NONE] {
        alice.append("INBOX", MAIL, message).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    alice.remove(inbox, &uids(&[3])).await;
    let opened = alice.examine("INBOX").await;
    assert_eq!(opened.uids, uids(&[1, 2]));
    assert_eq!(opened.first_unseen, Some(uid(2)));
    let mut keywords: Vec<_> = opened.keywords.iter().map(|keyword| keyword.as_str()).collect();
    keywords.sort_unstable();
    assert_eq!(keywords, ["$Junk", "todo"]);
    assert_eq!(opened.resync, None);
    assert_eq!((opened.status.mailbox, opened.status.messages, opened.status.unseen), (inbox, 2, 1));
    alice.flag(inbox, &uids(&[2]), FlagsOperation::Add, &flags(&[SystemFlag::Seen], &[])).await;
    assert_eq!(alice.examine("INBOX").await.first_unseen, None);
}

/// RFC 3501 6.3.5.
pub async fn rename_takes_children_and_keeps_uids_and_generation(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("a/b").await;
    alice.create("ab").await;
    alice.append("a/b", MAIL, Flags::NONE).await;
    alice.append("a/b", MAIL, flags(&[SystemFlag::Seen], &[])).await;
    let before = alice.examine("a/b").await;
    alice.store.rename(&alice.access, &name("a"), &name("z")).await.expect("rename");
    let names = alice.names().await;
    assert!(names.contains(&"z".to_owned()) && names.contains(&"z/b".to_owned()), "{names:?}");
    assert!(names.contains(&"ab".to_owned()), "only what is below moves: {names:?}");
    assert!(!names.iter().any(|name| name == "a" || name.starts_with("a/")), "{names:?}");
    let after = alice.examine("z/b").await;
    assert_eq!((after.uids, after.status.mailbox), (before.uids, before.status.mailbox));
    assert_eq!(after.status.uid_validity, before.status.uid_validity);
    assert_eq!(after.status.uid_next, before.status.uid_next);
    assert_eq!(alice.read(before.status.mailbox, uid(1)).await, MAIL.as_bytes());
}

/// Nothing changes then.
pub async fn rename_refuses_missing_taken_and_inner_names(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("a/b").await;
    let before = alice.names().await;
    let rename = async |from: &str, to: &str| alice.store.rename(&alice.access, &name(from), &name(to)).await;
    assert_eq!(rename("nothing", "x").await, Err(MailstoreError::MailboxNotFound));
    assert_eq!(rename("a", "Sent").await, Err(MailstoreError::MailboxExists));
    assert_eq!(rename("a", "a").await, Err(MailstoreError::MailboxExists));
    assert_eq!(rename("Sent", "INBOX").await, Err(MailstoreError::MailboxExists));
    assert!(matches!(rename("a", "a/b/c").await, Err(MailstoreError::Cannot { .. })));
    let deep = vec!["x"; MailboxName::MAX_DEPTH].join("/");
    let too_deep = rename("a", &deep).await;
    assert!(matches!(too_deep, Err(MailstoreError::Cannot { .. })), "a/b would be too deep: {too_deep:?}");
    assert_eq!(alice.names().await, before);
}

/// As CREATE does.
pub async fn rename_makes_missing_parents(fixture: Fixture) {
    let alice = fixture.actor();
    let id = alice.create("a").await;
    alice.store.rename(&alice.access, &name("a"), &name("old/2023/a")).await.expect("rename");
    assert_eq!(alice.mailbox("old/2023/a").await, id);
    alice.examine("old/2023").await;
    alice.examine("old").await;
}

/// RFC 3501 6.3.5: messages get new UIDs, INBOX and its children stay.
pub async fn rename_of_inbox_moves_its_messages_only(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("INBOX/child").await;
    for _ in 0..3 {
        alice.deliver(MAIL).await;
    }
    let inbox = alice.examine("INBOX").await;
    alice.remove(inbox.status.mailbox, &uids(&[1])).await;
    let used = alice.used().await;
    alice.store.rename(&alice.access, &name("INBOX"), &name("saved/mail")).await.expect("rename");
    let saved = alice.examine("saved/mail").await;
    assert_eq!(saved.uids, uids(&[1, 2]));
    assert_ne!(saved.status.mailbox, inbox.status.mailbox);
    let after = alice.examine("INBOX").await;
    assert_eq!((after.status.messages, after.status.mailbox), (0, inbox.status.mailbox));
    assert_eq!(after.status.uid_validity, inbox.status.uid_validity);
    assert_eq!(alice.deliver(MAIL).await.uid, uid(4), "INBOX uses no UID twice");
    assert!(alice.names().await.iter().any(|name| name == "INBOX/child"));
    assert_eq!(alice.read(saved.status.mailbox, uid(2)).await, MAIL.as_bytes());
    assert_eq!(used, (2 * MAIL.len() as u64, 2));
    assert_eq!(alice.used().await.1, 3, "moved and one new");
}

/// RFC 3501 6.3.4.
pub async fn delete_removes_messages_and_frees_quota(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("old").await;
    alice.append("old", MAIL, Flags::NONE).await;
    alice.append("INBOX", MAIL, Flags::NONE).await;
    alice.store.delete(&alice.access, &name("old")).await.expect("delete");
    assert!(!alice.names().await.iter().any(|name| name == "old"));
    assert_eq!(alice.used().await, (MAIL.len() as u64, 1));
    let again = alice.store.delete(&alice.access, &name("old")).await;
    assert_eq!(again, Err(MailstoreError::MailboxNotFound));
}

/// RFC 3501 6.3.4; a second CREATE makes it a mailbox again, of a new generation.
pub async fn delete_with_children_leaves_noselect(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("a/b").await;
    alice.append("a", MAIL, Flags::NONE).await;
    let before = alice.examine("a").await;
    alice.store.delete(&alice.access, &name("a")).await.expect("delete");
    let listing = alice.store.list(&alice.access).await.expect("list");
    let selectable =
        |wanted: &str| listing.mailboxes.iter().find(|m| m.name == name(wanted)).map(|m| m.selectable);
    assert_eq!((selectable("a"), selectable("a/b")), (Some(false), Some(true)));
    assert_eq!(alice.used().await, (0, 0));
    let open = OpenRequest { name: name("a"), mode: OpenMode::ReadWrite, resync: None };
    let opened = alice.store.open(&alice.access, &open).await;
    assert!(matches!(opened, Err(MailstoreError::Cannot { .. })), "{opened:?}");
    let status = alice.store.status(&alice.access, &name("a")).await;
    assert!(matches!(status, Err(MailstoreError::Cannot { .. })), "{status:?}");
    let again = alice.store.delete(&alice.access, &name("a")).await;
    assert!(matches!(again, Err(MailstoreError::Cannot { .. })), "{again:?}");
    let made = alice.store.create(&alice.access, &name("a"), None).await.expect("create");
    assert!(made.selectable);
    let after = alice.examine("a").await;
    assert_eq!((after.status.messages, after.status.mailbox), (0, made.id));
    assert!(after.status.uid_validity > before.status.uid_validity);
    alice.store.delete(&alice.access, &name("a/b")).await.expect("delete child");
    alice.store.delete(&alice.access, &name("a")).await.expect("delete without children");
    assert!(!alice.names().await.iter().any(|name| name == "a"));
}

/// RFC 3501 6.3.4.
pub async fn inbox_cannot_be_deleted(fixture: Fixture) {
    let alice = fixture.actor();
    alice.deliver(MAIL).await;
    let deleted = alice.store.delete(&alice.access, &name("Inbox")).await;
    assert!(matches!(deleted, Err(MailstoreError::Cannot { .. })), "{deleted:?}");
    assert_eq!(alice.examine("INBOX").await.status.messages, 1);
}

/// max(unix time, last + 1): also within one second, also for a name that a rename freed.
pub async fn uid_validity_grows_whenever_a_name_returns(fixture: Fixture) {
    let alice = fixture.actor();
    let now = fixture.clock.now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(u64::from(alice.examine("INBOX").await.status.uid_validity.0) >= now);
    alice.create("a").await;
    let mut last = alice.examine("a").await.status.uid_validity;
    for round in 0..3 {
        if round == 1 {
            alice.store.rename(&alice.access, &name("a"), &name("b")).await.expect("rename");
        } else {
            alice.store.delete(&alice.access, &name("a")).await.expect("delete");
        }
        alice.create("a").await;
        let next = alice.examine("a").await.status.uid_validity;
        assert!(next > last, "{next:?} after {last:?}");
        last = next;
    }
    fixture.clock.advance(Duration::from_secs(1000));
    alice.create("late").await;
    let late = alice.examine("late").await.status.uid_validity;
    assert!(u64::from(late.0) >= now + 1000 && late > last);
}

/// RFC 3501 6.3.6.
pub async fn subscriptions_name_anything_and_outlive_mailboxes(fixture: Fixture) {
    let alice = fixture.actor();
    let subscribe = async |mailbox: &str, on| {
        alice.store.subscribe(&alice.access, &name(mailbox), on).await.expect("subscribe");
        alice.store.list(&alice.access).await.expect("list").subscriptions
    };
    assert!(subscribe("no/such", true).await.contains(&name("no/such")));
    assert!(!alice.names().await.iter().any(|name| name == "no/such"));
    alice.create("news").await;
    let subscribed = subscribe("news", true).await;
    assert_eq!(subscribe("news", true).await, subscribed, "twice is once");
    assert!(subscribed.is_sorted());
    alice.store.delete(&alice.access, &name("news")).await.expect("delete");
    assert!(!subscribe("Junk", false).await.contains(&name("Junk")));
    let left = subscribe("never subscribed", false).await;
    assert!(left.contains(&name("news")), "a deleted mailbox stays subscribed: {left:?}");
}

/// By name, whatever the call.
pub async fn missing_mailboxes_are_not_found(fixture: Fixture) {
    let alice = fixture.actor();
    let open = OpenRequest { name: name("nothing"), mode: OpenMode::ReadOnly, resync: None };
    assert_eq!(alice.store.open(&alice.access, &open).await, Err(MailstoreError::MailboxNotFound));
    let status = alice.store.status(&alice.access, &name("nothing")).await;
    assert_eq!(status, Err(MailstoreError::MailboxNotFound));
    let deleted = alice.store.delete(&alice.access, &name("nothing")).await;
    assert_eq!(deleted, Err(MailstoreError::MailboxNotFound));
}

/// A session that has it selected learns that it is gone, from every call; also when it stays as `\Noselect`.
pub async fn the_id_of_a_deleted_mailbox_is_not_found(fixture: Fixture) {
    let alice = fixture.actor();
    alice.create("b/child").await;
    for gone in ["Archive", "b"] {
        alice.append(gone, MAIL, Flags::NONE).await;
        let opened = alice.select(gone).await;
        let mailbox = opened.status.mailbox;
        alice.store.delete(&alice.access, &name(gone)).await.expect("delete");
        let (store, access, all) = (&alice.store, &alice.access, UidSet::all());
        let missing = MailstoreError::MailboxNotFound;
        let sync = SyncRequest { mailbox, since: ModSeq(1), uid_next: uid(1), claim_recent: true };
        assert_eq!(store.sync(access, &sync).await.expect_err("gone"), missing);
        let fetch =
            FetchRequest { mailbox, uids: all.clone(), items: FetchItems::default(), changed_since: None };
        assert_eq!(store.fetch(access, &fetch).await.err(), Some(missing.clone()));
        let ranges = [BodyRange::whole(uid(1))];
        assert_eq!(store.read(access, mailbox, &ranges).await.err(), Some(missing.clone()));
        let search = SearchRequest { mailbox, among: all.clone(), key: SearchKey::All };
        assert_eq!(store.search(access, &search).await.expect_err("gone"), missing);
        let flag = StoreRequest {
            key: key(),
            mailbox,
            uids: all.clone(),
            operation: FlagsOperation::Add,
            flags: flags(&[SystemFlag::Seen], &[]),
            unchanged_since: None,
        };
        assert_eq!(store.store(access, &flag).await.expect_err("gone"), missing);
        let expunge = ExpungeRequest { key: key(), mailbox, uids: None };
        assert_eq!(store.expunge(access, &expunge).await.expect_err("gone"), missing);
        assert_eq!(alice.copy(mailbox, &all, "INBOX").await.expect_err("gone"), missing);
        assert_eq!(alice.relocate(mailbox, &all, "INBOX").await.expect_err("gone"), missing);
    }
}
