use bytes::Bytes;
use chrono::{TimeZone, Utc};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use proptest::prelude::*;
use staffetta_message::skeleton::{Limits, Skeleton, SkeletonBuilder};

use super::*;
use crate::wire::command::StatusItem;
use crate::wire::fetch::{Partial, Section, SectionItem, SectionLabel, SectionText};

fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether another reading of the RFCs takes the octets for exactly one response.
fn is_one_response(octets: &[u8]) -> bool {
    matches!(ResponseCodec::default().decode(octets), Ok((b"", _)))
}

/// Writes a response, holds it against the text, and lets imap-codec read it.
#[track_caller]
fn check(expected: &str, write: impl FnOnce(&mut Writer<'_>)) {
    let text = written(write);
    assert_eq!(text, format!("{expected}\r\n"));
    assert!(is_one_response(text.as_bytes()), "{text}");
}

/// As [`check`] for what imap-codec does not know.
#[track_caller]
fn check_unknown(expected: &str, write: impl FnOnce(&mut Writer<'_>)) {
    assert_eq!(written(write), format!("{expected}\r\n"));
}

fn skeleton(message: &[u8]) -> Skeleton {
    let mut builder = SkeletonBuilder::new(Limits::default());
    builder.push(message);
    builder.finish().skeleton
}

fn tag() -> Tag {
    Tag::from_parsed("A1")
}

#[test]
fn statuses() {
    check("A1 OK [READ-WRITE] done", |w| w.tagged(&tag(), Condition::Ok, Some(&Code::ReadWrite), "done"));
    check("A1 NO no", |w| w.tagged(&tag(), Condition::No, None, "no"));
    check("* BAD -[ALERT] what", |w| w.untagged(Condition::Bad, None, "[ALERT] what"));
    check("* OK .", |w| w.untagged(Condition::Ok, None, ""));
    check("* BYE [UNAVAILABLE] gone", |w| w.bye(Some(&Code::Unavailable), "gone"));
    check("+ go on", |w| w.continuation("go on"));
    check("+ AGEAYg==", |w| w.challenge(b"\0a\0b"));
    check_unknown("+ ", |w| w.challenge(b""));
}

#[test]
fn text_cannot_start_a_response_of_its_own() {
    check("A1 NO caf?: ??* BYE", |w| w.tagged(&tag(), Condition::No, None, "café: \r\n* BYE"));
}

#[test]
fn codes() {
    let with = |code: Code<'static>| move |w: &mut Writer<'_>| w.untagged(Condition::Ok, Some(&code), "x");
    for (expected, code) in [
        ("ALERT", Code::Alert),
        ("ALREADYEXISTS", Code::AlreadyExists),
        ("APPENDUID 7 9", Code::AppendUid { uid_validity: 7, uid: 9 }),
        ("AUTHENTICATIONFAILED", Code::AuthenticationFailed),
        ("AUTHORIZATIONFAILED", Code::AuthorizationFailed),
        ("BADCHARSET (US-ASCII UTF-8)", Code::BadCharset(&["US-ASCII", "UTF-8"])),
        ("BADCHARSET", Code::BadCharset(&[])),
        ("CANNOT", Code::Cannot),
        ("CAPABILITY IMAP4rev1 IDLE", Code::Capability(&["IMAP4rev1", "IDLE"])),
        ("CLIENTBUG", Code::ClientBug),
        ("CLOSED", Code::Closed),
        ("CONTACTADMIN", Code::ContactAdmin),
        (
            "COPYUID 7 1:3,9 4:7",
            Code::CopyUid { uid_validity: 7, source: &[1..=3, 9..=9], destination: &[4..=7] },
        ),
        ("CORRUPTION", Code::Corruption),
        ("EXPIRED", Code::Expired),
        ("EXPUNGEISSUED", Code::ExpungeIssued),
        ("HASCHILDREN", Code::HasChildren),
        ("HIGHESTMODSEQ 9223372036854775807", Code::HighestModSeq(i64::MAX as u64)),
        ("INUSE", Code::InUse),
        ("LIMIT", Code::Limit),
        ("MODIFIED 2,4:4294967295", Code::Modified(&[2..=2, 4..=u32::MAX])),
        ("NOMODSEQ", Code::NoModSeq),
        ("NONEXISTENT", Code::NonExistent),
        ("NOPERM", Code::NoPerm),
        ("OVERQUOTA", Code::OverQuota),
        ("PARSE", Code::Parse),
        ("PERMANENTFLAGS (\\Seen $Junk \\*)", Code::PermanentFlags(&["\\Seen", "$Junk", "\\*"])),
        ("PERMANENTFLAGS ()", Code::PermanentFlags(&[])),
        ("PRIVACYREQUIRED", Code::PrivacyRequired),
        ("READ-ONLY", Code::ReadOnly),
        ("READ-WRITE", Code::ReadWrite),
        ("SERVERBUG", Code::ServerBug),
        ("TOOBIG", Code::TooBig),
        ("TRYCREATE", Code::TryCreate),
        ("UIDNEXT 4", Code::UidNext(4)),
        ("UIDNOTSTICKY", Code::UidNotSticky),
        ("UIDVALIDITY 3", Code::UidValidity(3)),
        ("UNAVAILABLE", Code::Unavailable),
        ("UNSEEN 2", Code::Unseen(2)),
        ("USEATTR", Code::UseAttr),
    ] {
        assert!(expected.starts_with(code.name()));
        check(&format!("* OK [{expected}] x"), with(code));
    }
}

#[test]
fn mailbox_data() {
    use ListAttribute::{Drafts, HasChildren, HasNoChildren, NoSelect};
    check("* FLAGS (\\Seen $x)", |w| w.flags(["\\Seen", "$x"]));
    check("* 3 EXISTS", |w| w.exists(3));
    check("* 0 RECENT", |w| w.recent(0));
    check("* 44 EXPUNGE", |w| w.expunge(44));
    check("* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts", |w| {
        w.list(&[HasNoChildren, Drafts], Some('/'), "Drafts")
    });
    check("* LIST (\\Noselect) \"/\" \"\"", |w| w.list(&[NoSelect], Some('/'), ""));
    check("* LSUB () NIL \"Entw&APw-rfe \\\"x\\\" &-\"", |w| w.lsub(&[], None, "Entwürfe \"x\" &"));
    check("* LIST (\\HasChildren) \"\\\\\" \"nil\"", |w| w.list(&[HasChildren], Some('\\'), "nil"));
    check("* STATUS INBOX (MESSAGES 2 HIGHESTMODSEQ 7)", |w| {
        w.status_of("INBOX", &[(StatusItem::Messages, 2), (StatusItem::HighestModSeq, 7)]);
    });
    check("* SEARCH", |w| w.search([], None));
    check("* SEARCH 2 84", |w| w.search([2, 84], None));
    check("* SEARCH 2 (MODSEQ 917162500)", |w| w.search([2], Some(917_162_500)));
    check("* VANISHED 1:3,7", |w| w.vanished(false, &[1..=3, 7..=7]));
    check("* VANISHED (EARLIER) 5", |w| w.vanished(true, &[5..=5]));
    assert_eq!(written(|w| w.vanished(true, &[])), "");
}

#[test]
fn server_data() {
    check("* CAPABILITY IMAP4rev1 LITERAL+", |w| w.capability(&["IMAP4rev1", "LITERAL+"]));
    check("* ENABLED QRESYNC", |w| w.enabled(&["QRESYNC"]));
    check_unknown("* ENABLED", |w| w.enabled(&[]));
    check("* ID (\"name\" \"Staffetta\")", |w| w.id(&[("name", "Staffetta")]));
    check("* ID NIL", |w| w.id(&[]));
    check("* NAMESPACE ((\"\" \"/\")) NIL NIL", |w| w.namespace("", '/'));
    let quota = Quota { resource: "STORAGE", used: 10, limit: 512 };
    check("* QUOTA \"\" (STORAGE 10 512)", |w| w.quota(b"", &[quota]));
    check_unknown("* QUOTA \"\" ()", |w| w.quota(b"", &[]));
    check("* QUOTAROOT INBOX \"\"", |w| w.quota_root("INBOX", &[b""]));
    check("* QUOTAROOT \"a b\"", |w| w.quota_root("a b", &[]));
}

#[test]
fn fetch_items_stand_side_by_side() {
    let date = Utc.with_ymd_and_hms(2024, 2, 9, 8, 5, 0).unwrap();
    check(
        "* 12 FETCH (UID 7 FLAGS (\\Seen \\Recent) MODSEQ (5) INTERNALDATE \" 9-Feb-2024 08:05:00 +0000\" RFC822.SIZE 44)",
        |w| {
            let mut fetch = w.fetch(12);
            fetch.uid(7);
            fetch.flags(["\\Seen", "\\Recent"]);
            fetch.mod_seq(5);
            fetch.internal_date(date);
            fetch.size(44);
            fetch.finish();
        },
    );
    let late = Utc.with_ymd_and_hms(12_024, 12, 31, 23, 59, 59).unwrap();
    check("* 1 FETCH (FLAGS () INTERNALDATE \"31-Dec-9999 23:59:59 +0000\")", |w| {
        let mut fetch = w.fetch(1);
        fetch.flags([]);
        fetch.internal_date(late);
        fetch.finish();
    });
}

fn section_item(
    label: SectionLabel,
    part: &[u32],
    text: SectionText,
    partial: Option<(u32, u32)>,
) -> SectionItem {
    let nz = |number: u32| std::num::NonZeroU32::new(number).unwrap();
    SectionItem {
        label,
        section: Section { part: part.iter().map(|&number| nz(number)).collect(), text },
        partial: partial.map(|(offset, length)| Partial { offset, length: nz(length) }),
        peek: true,
    }
}

#[test]
fn sections_are_named_as_asked_for() {
    let names = || vec![Bytes::from_static(b"Date"), Bytes::from_static(b"X Y")];
    let body = SectionLabel::Body;
    for (expected, item) in [
        ("BODY[]", section_item(body, &[], SectionText::Whole, None)),
        ("BODY[]<5>", section_item(body, &[], SectionText::Whole, Some((5, 10)))),
        ("BODY[1.2]", section_item(body, &[1, 2], SectionText::Whole, None)),
        ("BODY[1.2.MIME]", section_item(body, &[1, 2], SectionText::Mime, None)),
        ("BODY[TEXT]", section_item(body, &[], SectionText::Text, None)),
        ("BODY[3.HEADER]<0>", section_item(body, &[3], SectionText::Header, Some((0, 1)))),
        (
            "BODY[HEADER.FIELDS (Date \"X Y\")]",
            section_item(body, &[], SectionText::HeaderFields(names()), None),
        ),
        (
            "BODY[2.HEADER.FIELDS.NOT (Date \"X Y\")]",
            section_item(body, &[2], SectionText::HeaderFieldsNot(names()), None),
        ),
        ("RFC822", section_item(SectionLabel::Rfc822, &[], SectionText::Whole, None)),
        ("RFC822.HEADER", section_item(SectionLabel::Rfc822Header, &[], SectionText::Header, None)),
        ("RFC822.TEXT", section_item(SectionLabel::Rfc822Text, &[], SectionText::Text, None)),
    ] {
        check(&format!("* 1 FETCH ({expected} {{4}}\r\na\r\nb UID 3)"), |w| {
            let mut fetch = w.fetch(1);
            fetch.section(&item, b"a\r\nb");
            fetch.uid(3);
            fetch.finish();
        });
        check(&format!("* 1 FETCH ({expected} NIL)"), |w| {
            let mut fetch = w.fetch(1);
            fetch.section_nil(&item);
            fetch.finish();
        });
    }
}

#[test]
fn a_body_streams_between_the_items() {
    let item = section_item(SectionLabel::Body, &[], SectionText::Whole, None);
    let mut out = BytesMut::new();
    Writer::new(&mut out).fetch(2).section_literal(&item, 6);
    for chunk in [b"abc", b"def"] {
        out.extend_from_slice(chunk);
    }
    let mut fetch = FetchWriter::resume(&mut out);
    fetch.flags(["\\Seen"]);
    fetch.finish();
    assert_eq!(&out[..], b"* 2 FETCH (BODY[] {6}\r\nabcdef FLAGS (\\Seen))\r\n");
}

fn fetched(message: &[u8], write: impl FnOnce(&mut FetchWriter<'_>, &Skeleton)) -> Vec<u8> {
    let skeleton = skeleton(message);
    let mut out = BytesMut::new();
    let mut fetch = FetchWriter::start(&mut out, 1);
    write(&mut fetch, &skeleton);
    fetch.finish();
    out.to_vec()
}

#[test]
fn envelope_follows_the_rfc() {
    let message = b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.test>\r\n\
        Subject: \"quoted\" back\\slash\r\nTo: imap@cac.test, Friends: a@x.test;\r\nCc: =?utf-8?q?J=C3=B6?= <j@x.test>\r\n\
        Message-ID: <B27397@cac.test>\r\n\r\nbody\r\n";
    let gray = "((\"Terry Gray\" NIL \"gray\" \"cac.test\"))";
    let expected = format!(
        "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"\\\"quoted\\\" back\\\\slash\" {gray} {gray} {gray} \
         ((NIL NIL \"imap\" \"cac.test\")(NIL NIL \"Friends\" NIL)(NIL NIL \"a\" \"x.test\")(NIL NIL NIL NIL)) \
         ((\"=?utf-8?q?J=C3=B6?=\" NIL \"j\" \"x.test\")) NIL NIL \"<B27397@cac.test>\"))\r\n"
    );
    let octets = fetched(message, |fetch, skeleton| fetch.envelope(skeleton));
    assert_eq!(String::from_utf8_lossy(&octets), expected);
    assert!(is_one_response(&octets));
    let bare = fetched(b"\r\n", |fetch, skeleton| fetch.envelope(skeleton));
    assert_eq!(bare, b"* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\n");
}

#[test]
fn eight_bit_header_is_a_literal() {
    let octets = fetched(b"Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\n", |fetch, skeleton| fetch.envelope(skeleton));
    assert!(octets.starts_with(b"* 1 FETCH (ENVELOPE (NIL {7}\r\ngr\xc3\xbc\xc3\x9fe NIL "), "{octets:?}");
    assert!(is_one_response(&octets));
}

const NESTED: &[u8] = b"From: a@x.test\r\nContent-Type: multipart/mixed; boundary=outer\r\nContent-Language: de, en\r\n\r\n\
--outer\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\none\r\ntwo\r\n\
--outer\r\nContent-Type: image/png; name=\"a b.png\"\r\nContent-ID: <i@x>\r\nContent-Description: picture\r\n\
Content-Disposition: attachment; filename=x.png\r\nContent-Transfer-Encoding: base64\r\nContent-MD5: Q2hlY2s=\r\n\
Content-Location: http://x.test/\r\n\r\nAAAA\r\n\
--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: text/html\r\n\r\n<p>\r\n\r\n\
--outer--\r\n";

#[test]
fn body_structure_follows_the_rfc() {
    let octets = fetched(NESTED, |fetch, skeleton| fetch.body_structure(&skeleton.root));
    assert_eq!(
        String::from_utf8_lossy(&octets),
        "* 1 FETCH (BODYSTRUCTURE (\
         (\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 8 1 NIL NIL NIL NIL)\
         (\"image\" \"png\" (\"name\" \"a b.png\") \"<i@x>\" \"picture\" \"base64\" 4 \"Q2hlY2s=\" \
         (\"attachment\" (\"filename\" \"x.png\")) NIL \"http://x.test/\")\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 48 \
         (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"text\" \"html\" NIL NIL NIL \"7bit\" 5 1 NIL NIL NIL NIL) 4 NIL NIL NIL NIL) \
         \"mixed\" (\"boundary\" \"outer\") NIL (\"de\" \"en\") NIL))\r\n"
    );
    assert!(is_one_response(&octets));
}

#[test]
fn body_leaves_the_extension_data_out() {
    let octets = fetched(NESTED, |fetch, skeleton| fetch.body(&skeleton.root));
    assert_eq!(
        String::from_utf8_lossy(&octets),
        "* 1 FETCH (BODY (\
         (\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 8 1)\
         (\"image\" \"png\" (\"name\" \"a b.png\") \"<i@x>\" \"picture\" \"base64\" 4)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 48 \
         (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"text\" \"html\" NIL NIL NIL \"7bit\" 5 1) 4) \
         \"mixed\"))\r\n"
    );
    assert!(is_one_response(&octets));
}

/// Lines that make headers and parts of all kinds, most of them broken.
fn message_line() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&'static [u8]> = vec![
        b"From: \"A \\\" B\" <a@x.test>, b@y.test (c)",
        b"To: undisclosed:;, <@r,@s:c@d>, <>, broken",
        b"Cc: \"unterminated",
        b"Subject: \xff\xfe \x00 raw",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/digest; boundary=\"b\"",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/plain; charset=\"x\\\"y\"; a*0=b; a*1=\xc3\xa4",
        b"Content-Type: TEXT",
        b"Content-Type: x y/\"z",
        b"Content-Disposition: attachment; filename=\"\xe4\"",
        b"Content-Language: en, de, fr",
        b"Content-Transfer-Encoding: 8BIT\xe4",
        b"Content-ID: <\"\\>",
        b" folded",
        b"",
        b"--b",
        b"--b--",
        b"text",
    ];
    prop_oneof![
        6 => prop::sample::select(lines).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #[test]
    fn whatever_the_message_its_description_is_one_response(lines in prop::collection::vec(message_line(), 0..25)) {
        let limits = Limits { depth: 6, ..Limits::default() };
        let mut builder = SkeletonBuilder::new(limits);
        builder.push(&lines.join(&b"\r\n"[..]));
        let skeleton = builder.finish().skeleton;
        let mut out = BytesMut::new();
        let mut fetch = FetchWriter::start(&mut out, 1);
        fetch.envelope(&skeleton);
        fetch.body_structure(&skeleton.root);
        fetch.body(&skeleton.root);
        fetch.finish();
        prop_assert!(is_one_response(&out), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn any_octets_make_one_string(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut out = BytesMut::from(&b"* ID (\"x\" "[..]);
        text::string(&mut out, &octets);
        out.extend_from_slice(b")\r\n");
        prop_assert!(is_one_response(&out), "{:?}", out);
    }

    #[test]
    fn any_name_makes_one_list_response(name in "\\PC{0,20}", text in any::<String>()) {
        let list = written(|w| w.list(&[], Some('/'), &name));
        prop_assert!(is_one_response(list.as_bytes()), "{}", list);
        let status = written(|w| w.tagged(&tag(), Condition::No, None, &text));
        prop_assert!(is_one_response(status.as_bytes()), "{}", status);
    }
}
