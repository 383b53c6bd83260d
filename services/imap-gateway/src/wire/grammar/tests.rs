use std::num::NonZeroU32;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate};

use super::*;
use crate::wire::command::{LiteralMode, StatusItem, StoreAction};
use crate::wire::fetch::{FetchItem, Partial, Section, SectionItem, SectionLabel, SectionText};
use crate::wire::flag::Flag;
use crate::wire::search::SearchKey;

fn reading(line: &str) -> Reading {
    read(format!("a {line}\r\n").as_bytes(), &Limits::default())
}

#[track_caller]
fn body(line: &str) -> CommandBody {
    match reading(line) {
        Reading::Complete(command) => {
            assert_eq!(command.tag.as_str(), "a");
            command.body
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refused(line: &str) -> &'static str {
    match reading(line) {
        Reading::Malformed { tag: Some(_), text } => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn nz(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn set(text: &str) -> crate::wire::sequence::SequenceSet {
    sequence::sequence_set(&mut Cursor::new(text.as_bytes(), &Limits::default())).unwrap()
}

fn search_key(text: &str) -> SearchKey {
    let CommandBody::Search { charset: None, key, uid: false } = body(&format!("SEARCH {text}")) else {
        panic!("{text}")
    };
    key
}

fn section(text: &str) -> SectionItem {
    let CommandBody::Fetch(fetch) = body(&format!("FETCH 1 {text}")) else { panic!("{text}") };
    let [FetchItem::Section(section)] = fetch.items.as_slice() else { panic!("{fetch:?}") };
    section.clone()
}

#[test]
fn commands_without_arguments_in_any_case() {
    for (line, expected) in [
        ("capability", CommandBody::Capability),
        ("NoOp", CommandBody::Noop),
        ("LOGOUT", CommandBody::Logout),
        ("STARTTLS", CommandBody::StartTls),
        ("CHECK", CommandBody::Check),
        ("CLOSE", CommandBody::Close),
        ("EXPUNGE", CommandBody::Expunge { uids: None }),
        ("IDLE", CommandBody::Idle),
        ("NAMESPACE", CommandBody::Namespace),
        ("UNSELECT", CommandBody::Unselect),
        ("ID NIL", CommandBody::Id(None)),
        ("UID EXPUNGE 3:*", CommandBody::Expunge { uids: Some(set("3:*")) }),
    ] {
        assert_eq!(body(line), expected);
    }
    for line in ["NOOP ", "NOOP x", "FROB", "UID", "UID FROB 1", "UID NOOP", "EXPUNGE 1", ""] {
        refused(line);
    }
}

#[test]
fn authenticate_with_and_without_initial_response() {
    let initial = |line: &str| match body(line) {
        CommandBody::Authenticate { mechanism, initial } => {
            (mechanism, initial.map(|initial| initial.expose().to_vec()))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(initial("AUTHENTICATE plain"), ("PLAIN".to_owned(), None));
    assert_eq!(initial("AUTHENTICATE PLAIN ="), ("PLAIN".to_owned(), Some(vec![])));
    assert_eq!(initial("AUTHENTICATE PLAIN AGEAYg=="), ("PLAIN".to_owned(), Some(b"\0a\0b".to_vec())));
    refused("AUTHENTICATE PLAIN AGEAYg");
    refused("AUTHENTICATE PLAIN ");
    refused("AUTHENTICATE");
}

#[test]
fn mailbox_names_are_decoded_and_inbox_is_one_name() {
    let deleted = |line: &str| match body(&format!("DELETE {line}")) {
        CommandBody::Delete { mailbox } => mailbox,
        other => panic!("{other:?}"),
    };
    assert_eq!(deleted("inBox"), "INBOX");
    assert_eq!(deleted("\"INBOX\""), "INBOX");
    assert_eq!(deleted("{5+}\r\niNBOX"), "INBOX");
    assert_eq!(deleted("inbox/x"), "inbox/x");
    assert_eq!(deleted("&ZeVnLIqe-]"), "日本語]");
    assert_eq!(deleted("\"a \\\"b\\\\\""), "a \"b\\");
    assert_eq!(refused("DELETE &AGE-"), "mailbox name is not valid modified UTF-7");
    assert_eq!(refused("DELETE \"caf\u{e9}\""), "mailbox name is not valid modified UTF-7");
    refused("DELETE \"a");
    refused("DELETE \"\\a\"");
    refused("DELETE a%");
}

#[test]
fn select_parameters() {
    let select = |line: &str| match body(line) {
        CommandBody::Select(select) => select,
        other => panic!("{other:?}"),
    };
    let plain = select("EXAMINE x");
    assert!(plain.read_only && !plain.condstore && plain.qresync.is_none());
    let both = select("SELECT x (CONDSTORE qresync (67890007 20050715194045000 41,43:211 (1,10 41,60)))");
    assert!(!both.read_only && both.condstore);
    let qresync = both.qresync.unwrap();
    assert_eq!((qresync.uid_validity, qresync.mod_seq), (nz(67_890_007), 20_050_715_194_045_000));
    assert_eq!(qresync.known_uids, Some(set("41,43:211")));
    assert_eq!(qresync.sequence_match, Some((set("1,10"), set("41,60"))));
    let short = select("SELECT x (QRESYNC (1 2))").qresync.unwrap();
    assert_eq!((short.known_uids, short.sequence_match), (None, None));
    let matched = select("SELECT x (QRESYNC (1 2 (1 2)))").qresync.unwrap();
    assert_eq!((matched.known_uids, matched.sequence_match), (None, Some((set("1"), set("2")))));
    for line in [
        "SELECT x ()",
        "SELECT x (QRESYNC (1 0))",
        "SELECT x (QRESYNC (0 1))",
        "SELECT x (QRESYNC (1 2 1:*))",
        "SELECT x (QRESYNC (1 2 1 (1 *)))",
        "SELECT x (QRESYNC (1 9223372036854775808))",
        "SELECT x (QRESYNC (1 2) QRESYNC (1 2))",
        "SELECT x (FROB)",
    ] {
        refused(line);
    }
}

#[test]
fn list_patterns_and_status_items() {
    let CommandBody::List(query) = body("LIST \"\" %/&U,BTFw-*") else { panic!() };
    assert_eq!((query.reference.as_str(), query.pattern.as_str()), ("", "%/台北*"));
    let CommandBody::Lsub(query) = body("LSUB ~x \"\"") else { panic!() };
    assert_eq!((query.reference.as_str(), query.pattern.as_str()), ("~x", ""));
    refused("LIST \"\" ");
    let CommandBody::Status { mailbox, items } = body("STATUS inbox (UIDNEXT highestmodseq DELETED-STORAGE)")
    else {
        panic!()
    };
    assert_eq!(mailbox, "INBOX");
    assert_eq!(items, [StatusItem::UidNext, StatusItem::HighestModSeq, StatusItem::DeletedStorage]);
    refused("STATUS x ()");
    refused("STATUS x (MESSAGES MESSAGE)");
}

#[test]
fn create_with_special_use() {
    let expected = |special_use: &[&str]| CommandBody::Create {
        mailbox: "x/".to_owned(),
        special_use: special_use.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(body("CREATE x/"), expected(&[]));
    assert_eq!(body("CREATE x/ (USE (\\Drafts \\Sent))"), expected(&["Drafts", "Sent"]));
    refused("CREATE x/ (USE \\Drafts)");
}

#[test]
fn append_stops_at_its_message() {
    let Reading::Append(tag, append) =
        reading("APPEND x (\\Seen $Work \\Recent) \" 1-Feb-2024 09:05:07 -0730\" {5000000000}")
    else {
        panic!()
    };
    assert_eq!((tag.as_str(), append.mailbox.as_str()), ("a", "x"));
    assert_eq!(append.flags, [Flag::Seen, Flag::Keyword("$Work".to_owned()), Flag::Recent]);
    assert_eq!(append.date, Some(DateTime::parse_from_rfc3339("2024-02-01T09:05:07-07:30").unwrap()));
    assert_eq!((append.literal.size, append.literal.mode), (5_000_000_000, LiteralMode::Synchronizing));
    let Reading::Append(_, append) = reading("APPEND \"x\" {1+}") else { panic!() };
    assert_eq!(
        (append.flags.len(), append.date, append.literal.mode),
        (0, None, LiteralMode::NonSynchronizing)
    );
    for line in [
        "APPEND x",
        "APPEND x \"message\"",
        "APPEND x ~{1+}",
        "APPEND x {9223372036854775808}",
        "APPEND x \"1-Feb-2024 09:05:07 +0000\" {1}",
        "APPEND x \"30-Feb-2024 09:05:07 +0000\" {1}",
        "APPEND x \"01-Feb-2024 09:05:07 +2460\" {1}",
        "APPEND x (\\*) {1}",
    ] {
        refused(line);
    }
}

#[test]
fn store_forms() {
    let store = |line: &str| match body(line) {
        CommandBody::Store(store) => store,
        other => panic!("{other:?}"),
    };
    let plain = store("STORE 1:3 FLAGS ()");
    assert_eq!(
        (plain.action, plain.silent, plain.uid, plain.flags.len()),
        (StoreAction::Replace, false, false, 0)
    );
    let full = store("UID STORE 7 (UNCHANGEDSINCE 0) -flags.silent \\deleted $X");
    assert_eq!(
        (full.action, full.silent, full.uid, full.unchanged_since),
        (StoreAction::Remove, true, true, Some(0))
    );
    assert_eq!(full.flags, [Flag::Deleted, Flag::Keyword("$X".to_owned())]);
    assert_eq!(store("STORE 1 +FLAGS (\\Frob)").flags, [Flag::Extension("Frob".to_owned())]);
    for line in
        ["STORE 1 FLAGS", "STORE 1 +FLAG (x)", "STORE 1 () FLAGS x", "STORE 0 FLAGS x", "STORE 1 FLAGS (x"]
    {
        refused(line);
    }
}

#[test]
fn fetch_items_macros_and_modifiers() {
    use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, ModSeq, Rfc822Size, Uid};
    let fetch = |line: &str| match body(line) {
        CommandBody::Fetch(fetch) => fetch,
        other => panic!("{other:?}"),
    };
    assert_eq!(fetch("FETCH 1 fast").items, [Flags, InternalDate, Rfc822Size]);
    assert_eq!(fetch("FETCH 1 ALL").items, [Flags, InternalDate, Rfc822Size, Envelope]);
    assert_eq!(fetch("FETCH 1 FULL").items, [Flags, InternalDate, Rfc822Size, Envelope, Body]);
    assert_eq!(fetch("FETCH 1 (UID BODY BODYSTRUCTURE MODSEQ)").items, [Uid, Body, BodyStructure, ModSeq]);
    let vanished = fetch("UID FETCH 1:* FLAGS (CHANGEDSINCE 12 VANISHED)");
    assert_eq!((vanished.changed_since, vanished.vanished, vanished.uid), (Some(12), true, true));
    for line in [
        "FETCH 1 ()",
        "FETCH 1 (ALL)",
        "FETCH 1 FLAGS (VANISHED)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1 FLAGS (VANISHED)",
        "FETCH 1 FLAGS UID",
        "FETCH , FLAGS",
        "FETCH 1: FLAGS",
        "FETCH 4294967296 FLAGS",
    ] {
        refused(line);
    }
}

#[test]
fn sections() {
    let body_section = |part: &[u32], text: SectionText, peek: bool| SectionItem {
        label: SectionLabel::Body,
        section: Section { part: part.iter().map(|&number| nz(number)).collect(), text },
        partial: None,
        peek,
    };
    assert_eq!(section("BODY[]"), body_section(&[], SectionText::Whole, false));
    assert_eq!(section("BODY.PEEK[1.2]"), body_section(&[1, 2], SectionText::Whole, true));
    assert_eq!(section("BODY[4.1.MIME]"), body_section(&[4, 1], SectionText::Mime, false));
    assert_eq!(section("body[header]"), body_section(&[], SectionText::Header, false));
    assert_eq!(section("BODY[3.TEXT]"), body_section(&[3], SectionText::Text, false));
    let names =
        |names: &[&'static str]| names.iter().map(|&name| Bytes::from_static(name.as_bytes())).collect();
    assert_eq!(
        section("BODY[2.HEADER.FIELDS.NOT (Date \"X Y\")]"),
        body_section(&[2], SectionText::HeaderFieldsNot(names(&["Date", "X Y"])), false)
    );
    let partial = section("BODY.PEEK[HEADER.FIELDS ({4+}\r\nDate)]<7.1024>");
    assert_eq!(partial.section.text, SectionText::HeaderFields(names(&["Date"])));
    assert_eq!(partial.partial, Some(Partial { offset: 7, length: nz(1024) }));
    let whole = section("RFC822");
    assert_eq!(
        (whole.label, whole.section.text, whole.peek),
        (SectionLabel::Rfc822, SectionText::Whole, false)
    );
    let header = section("(RFC822.HEADER)");
    assert_eq!((header.section.text, header.peek), (SectionText::Header, true));
    for line in [
        "BODY[MIME]",
        "BODY[0]",
        "BODY[1.]",
        "BODY[.1]",
        "BODY[1HEADER]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[",
        "BODY.PEEK",
        "BODY[]<0.0>",
        "BODY[]<1>",
        "BODY[HEADER.1]",
        "RFC822.PEEK",
    ] {
        refused(&format!("FETCH 1 {line}"));
    }
}

#[test]
fn search_keys() {
    let date = NaiveDate::from_ymd_opt(2024, 2, 1).unwrap();
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    for (line, expected) in [
        ("ALL", SearchKey::All),
        ("unseen", SearchKey::Lacks(Flag::Seen)),
        ("OLD", SearchKey::Lacks(Flag::Recent)),
        ("KEYWORD $Junk", SearchKey::Has(Flag::Keyword("$Junk".to_owned()))),
        ("SENTON 1-feb-2024", SearchKey::SentOn(date)),
        ("SINCE \"01-Feb-2024\"", SearchKey::Since(date)),
        ("HEADER X-Y \"\"", SearchKey::Header { field: text("X-Y"), value: text("") }),
        ("SUBJECT {3+}\r\na b", SearchKey::Subject(text("a b"))),
        ("LARGER 5000000000", SearchKey::Larger(5_000_000_000)),
        ("2,4:*", SearchKey::Sequence(set("2,4:*"))),
        ("*", SearchKey::Sequence(set("*"))),
        ("UID 1:2", SearchKey::Uid(set("1:2"))),
        ("MODSEQ 7", SearchKey::ModSeq(7)),
        ("MODSEQ \"/flags/\\\\draft\" all 620162338", SearchKey::ModSeq(620_162_338)),
        ("(SEEN)", SearchKey::Has(Flag::Seen)),
        (
            "NEW (OR FROM a NOT TO b) DRAFT",
            SearchKey::And(vec![
                SearchKey::New,
                SearchKey::Or(
                    Box::new(SearchKey::From(text("a"))),
                    Box::new(SearchKey::Not(Box::new(SearchKey::To(text("b"))))),
                ),
                SearchKey::Has(Flag::Draft),
            ]),
        ),
    ] {
        assert_eq!(search_key(line), expected, "{line}");
    }
    let CommandBody::Search { charset, key, uid } = body("UID SEARCH CHARSET utf-8 TEXT \"ä\"") else {
        panic!()
    };
    assert_eq!((charset.as_deref(), uid), (Some("UTF-8"), true));
    assert_eq!(key, SearchKey::Text(text("ä")));
    for line in [
        "",
        "FROB",
        "NOT",
        "OR ALL",
        "()",
        "(ALL",
        "ON 1-Foo-2024",
        "CHARSET UTF-8",
        "ALL CHARSET UTF-8 ALL",
        "1:",
    ] {
        refused(&format!("SEARCH {line}"));
    }
}

#[test]
fn quota_id_and_enable() {
    let root = Bytes::from_static(b"");
    assert_eq!(body("GETQUOTA \"\""), CommandBody::GetQuota { root: root.clone() });
    assert_eq!(body("GETQUOTAROOT inbox"), CommandBody::GetQuotaRoot { mailbox: "INBOX".to_owned() });
    assert_eq!(
        body("SETQUOTA \"\" (storage 512)"),
        CommandBody::SetQuota { root, limits: vec![("STORAGE".to_owned(), 512)] }
    );
    let name = || Bytes::from_static(b"name");
    assert_eq!(
        body("ID (\"name\" \"x\" \"name\" NIL)"),
        CommandBody::Id(Some(vec![(name(), Some(Bytes::from_static(b"x"))), (name(), None)]))
    );
    assert_eq!(body("ENABLE qresync X"), CommandBody::Enable(vec!["QRESYNC".to_owned(), "X".to_owned()]));
    refused("ENABLE");
    refused("ID (\"name\")");
}

#[test]
fn limits_hold() {
    let limits = Limits { depth: 4, sequence_ranges: 3, search_keys: 5, list_items: 3, ..Limits::default() };
    let text = |line: &str| match read(format!("a {line}\r\n").as_bytes(), &limits) {
        Reading::Malformed { text, .. } => text,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(text("SEARCH NOT NOT NOT NOT NOT ALL"), "search keys nested too deep");
    assert_eq!(text("SEARCH ((((((ALL))))))"), "search keys nested too deep");
    assert_eq!(text("SEARCH ALL ALL ALL ALL ALL ALL"), "too many search keys");
    assert_eq!(text("SEARCH 1,2,3,4"), "too many ranges in a sequence set");
    assert_eq!(text("FETCH 1 (UID UID UID UID)"), "too many elements in a list");
    assert_eq!(text("STORE 1 FLAGS a b c d"), "too many flags");
    assert_eq!(text("FETCH 1 BODY[1.1.1.1.1]"), "section too deep");
    // Depth is given back: siblings do not add up.
    assert!(matches!(read(b"a SEARCH NOT NOT NOT NOT 1\r\n", &limits), Reading::Complete(_)));
    let deep = format!("SEARCH {}ALL", "NOT ".repeat(10_000));
    assert_eq!(text(&deep), "search keys nested too deep");
}
