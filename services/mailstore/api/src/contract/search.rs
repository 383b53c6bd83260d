//! Rules of SEARCH.

use chrono::{DateTime, NaiveDate};

use super::Fixture;
use super::actor::{Actor, MAIL, body, flags, key, keyword, name, uids};
use crate::{
    AppendRequest, Flags, FlagsOperation, HeaderMatch, MailboxId, ModSeq, SearchHits, SearchKey,
    SearchRequest, SystemFlag, UidSet,
};

async fn hits(alice: &Actor, mailbox: MailboxId, among: UidSet, key: SearchKey) -> SearchHits {
    let request = SearchRequest { mailbox, among, key };
    alice.store.search(&alice.access, &request).await.expect("search")
}

/// The INBOX's UIDs that match.
async fn found(alice: &Actor, key: SearchKey) -> Vec<u32> {
    let inbox = alice.mailbox("INBOX").await;
    hits(alice, inbox, UidSet::all(), key).await.uids.iter().map(crate::Uid::get).collect()
}

fn header(field: &str, text: &str) -> SearchKey {
    SearchKey::Header(HeaderMatch { field: field.to_owned(), text: text.to_owned() })
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// System flags and keywords, keywords in any case.
pub async fn flags_and_keywords(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, flags(&[SystemFlag::Seen], &["Todo"])).await;
    alice.append("INBOX", MAIL, flags(&[SystemFlag::Seen, SystemFlag::Flagged], &[])).await;
    alice.append("INBOX", MAIL, Flags::NONE).await;
    assert_eq!(found(&alice, SearchKey::All).await, [1, 2, 3]);
    assert_eq!(found(&alice, SearchKey::Flag(SystemFlag::Seen)).await, [1, 2]);
    assert_eq!(found(&alice, SearchKey::Flag(SystemFlag::Flagged)).await, [2]);
    assert_eq!(found(&alice, SearchKey::Keyword(keyword("tODO"))).await, [1]);
    assert_eq!(found(&alice, SearchKey::Keyword(keyword("other"))).await, [0; 0]);
    assert_eq!(found(&alice, SearchKey::Uids(uids(&[2, 3, 50]))).await, [2, 3]);
}

/// INTERNALDATE by its day in UTC; `Date:` by its day as written, time zone disregarded (RFC 3501 6.4.4).
pub async fn internal_dates_and_sent_dates(fixture: Fixture) {
    let alice = fixture.actor();
    for (received, date) in [
        ("2024-06-03T23:59:59Z", "Date: Mon, 3 Jun 2024 23:30:00 -0700\r\n"),
        ("2024-06-04T00:00:00Z", "Date: 5 Jun 2024 00:10:00 +0200\r\n"),
        ("2024-06-05T12:00:00Z", ""),
    ] {
        let received_at = DateTime::parse_from_rfc3339(received).expect("a time").to_utc();
        let request = AppendRequest {
            key: key(),
            mailbox: name("INBOX"),
            flags: Flags::NONE,
            received_at: Some(received_at),
            body: body(&format!("{date}Subject: x\r\n\r\n")),
        };
        alice.store.append(&alice.access, request).await.expect("append");
    }
    assert_eq!(found(&alice, SearchKey::Before(day("2024-06-04"))).await, [1]);
    assert_eq!(found(&alice, SearchKey::On(day("2024-06-04"))).await, [2]);
    assert_eq!(found(&alice, SearchKey::Since(day("2024-06-04"))).await, [2, 3]);
    assert_eq!(found(&alice, SearchKey::SentBefore(day("2024-06-05"))).await, [1]);
    assert_eq!(found(&alice, SearchKey::SentOn(day("2024-06-03"))).await, [1]);
    assert_eq!(found(&alice, SearchKey::SentSince(day("2024-06-05"))).await, [2]);
}

/// Strictly larger and smaller; MODSEQ at least (RFC 7162 3.1.5).
pub async fn sizes_and_modseq(fixture: Fixture) {
    let alice = fixture.actor();
    for text in ["four", "sixsix", "eighteig"] {
        alice.append("INBOX", text, Flags::NONE).await;
    }
    assert_eq!(found(&alice, SearchKey::Larger(6)).await, [3]);
    assert_eq!(found(&alice, SearchKey::Smaller(6)).await, [1]);
    let inbox = alice.mailbox("INBOX").await;
    let stored = alice.flag(inbox, &uids(&[2]), FlagsOperation::Add, &flags(&[SystemFlag::Seen], &[])).await;
    let modseq = stored.highest_modseq;
    assert_eq!(found(&alice, SearchKey::ModSeq(modseq)).await, [2]);
    assert_eq!(found(&alice, SearchKey::ModSeq(ModSeq(modseq.0 + 1))).await, [0; 0]);
    let both = hits(&alice, inbox, UidSet::all(), SearchKey::Uids(uids(&[1, 2]))).await;
    assert_eq!(both.highest_modseq, modseq);
    let first = hits(&alice, inbox, UidSet::all(), SearchKey::Uids(uids(&[1]))).await;
    assert!(first.highest_modseq < modseq && first.highest_modseq > ModSeq(0));
    let none = hits(&alice, inbox, UidSet::all(), SearchKey::Larger(1000)).await;
    assert_eq!(none, SearchHits::default());
}

/// Encoded words and folding are undone; an empty text asks for the field.
pub async fn header_text_is_decoded_and_caseless(fixture: Fixture) {
    let alice = fixture.actor();
    let first = "From: Zo\u{eb} <zoe@north.test>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus\r\n K\u{f6}ln\r\nX-Odd:\r\n\r\nbody text\r\n";
    let second = "From: bob@south.test\r\nSubject: minutes\r\nTo: a@x.test\r\nReceived: one\r\nReceived: two\r\n\r\nsubject: not here\r\n";
    alice.append("INBOX", first, Flags::NONE).await;
    alice.append("INBOX", second, Flags::NONE).await;
    assert_eq!(found(&alice, header("subject", "GRÜSSE AUS")).await, [1]);
    assert_eq!(found(&alice, header("SUBJECT", "köln")).await, [1]);
    assert_eq!(found(&alice, header("subject", "not here")).await, [0; 0]);
    assert_eq!(found(&alice, header("from", "ZOË")).await, [1]);
    assert_eq!(found(&alice, header("x-odd", "")).await, [1]);
    assert_eq!(found(&alice, header("to", "")).await, [2]);
    assert_eq!(found(&alice, header("received", "two")).await, [2], "every field of the name");
    assert_eq!(found(&alice, SearchKey::Text("MINUTES".to_owned())).await, [2]);
    assert_eq!(found(&alice, SearchKey::Text("body TEXT".to_owned())).await, [1]);
    assert_eq!(found(&alice, SearchKey::Text("south.test".to_owned())).await, [2]);
}

/// Transfer encodings and charsets are undone, in every text part; other parts are not looked into.
pub async fn body_text_is_decoded(fixture: Fixture) {
    let alice = fixture.actor();
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\nSubject: outer\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        caf=E9 au la=\r\nit\r\n\
        --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        PGI+VGllcmfDpHJ0ZW48L2I+\r\n\
        --b\r\nContent-Type: application/octet-stream\r\n\r\nopaque secret\r\n--b--\r\n";
    alice.append("INBOX", multipart, Flags::NONE).await;
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let text = |text: &str| SearchKey::Body(text.to_owned());
    assert_eq!(found(&alice, text("CAFÉ AU LAIT")).await, [1]);
    assert_eq!(found(&alice, text("tiergärten")).await, [1]);
    assert_eq!(found(&alice, text("opaque secret")).await, [0; 0]);
    assert_eq!(found(&alice, text("hello bob")).await, [2]);
    assert_eq!(found(&alice, text("outer")).await, [0; 0], "a header is no body");
}

/// NOT, AND, OR, and only what the session sees.
pub async fn keys_combine_among_the_asked(fixture: Fixture) {
    let alice = fixture.actor();
    for text in [
        "Subject: one\r\n\r\n",
        "Subject: two\r\n\r\n",
        "Subject: three\r\n\r\n",
        "Subject: one more\r\n\r\n",
    ] {
        alice.append("INBOX", text, Flags::NONE).await;
    }
    let one = || header("subject", "one");
    let not_one = SearchKey::Not(Box::new(one()));
    assert_eq!(found(&alice, not_one.clone()).await, [2, 3]);
    let two_or_one = SearchKey::Or(vec![header("subject", "two"), one()]);
    assert_eq!(found(&alice, two_or_one.clone()).await, [1, 2, 4]);
    let both = SearchKey::And(vec![two_or_one, SearchKey::Uids(uids(&[2, 3, 4]))]);
    assert_eq!(found(&alice, both.clone()).await, [2, 4]);
    assert_eq!(found(&alice, SearchKey::And(Vec::new())).await, [1, 2, 3, 4]);
    assert_eq!(found(&alice, SearchKey::Or(Vec::new())).await, [0; 0]);
    let inbox = alice.mailbox("INBOX").await;
    assert_eq!(hits(&alice, inbox, uids(&[1, 2, 9]), both).await.uids, uids(&[2]));
    assert_eq!(hits(&alice, inbox, UidSet::new(), SearchKey::All).await, SearchHits::default());
    alice.remove(inbox, &uids(&[2])).await;
    assert_eq!(found(&alice, not_one).await, [3]);
}
