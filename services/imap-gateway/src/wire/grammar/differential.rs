//! The grammar against imap-codec, another reading of the same RFCs, on what both know.

mod convert;

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use proptest::prelude::*;

use super::*;

/// `astring`, as atom, quoted string or non-synchronising literal.
fn astring() -> BoxedStrategy<String> {
    prop_oneof![
        "[A-Za-z0-9$.+\\-\\]]{1,8}",
        "([ -!#-\\[\\]-~]|\\\\[\\\\\"]){0,8}".prop_map(|text| format!("\"{text}\"")),
        "[ -~]{0,8}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
    ]
    .boxed()
}

fn mailbox() -> BoxedStrategy<String> {
    prop_oneof![
        2 => astring(),
        1 => prop::sample::select(vec!["inbox", "\"INBOX\"", "Entw&APw-rfe", "\"a b/c\"", "&-", "x&AGE-", "&"]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn sequence() -> BoxedStrategy<String> {
    prop::collection::vec("([1-9][0-9]{0,8}|\\*)(:([1-9][0-9]{0,3}|\\*))?", 1..4)
        .prop_map(|ranges| ranges.join(","))
        .boxed()
}

fn flags() -> BoxedStrategy<String> {
    let flag = prop::sample::select(vec!["\\Seen", "\\deleted", "\\Frob", "$Junk", "work", "\\ANSWERED"]);
    prop::collection::vec(flag, 0..4).prop_map(|flags| format!("({})", flags.join(" "))).boxed()
}

fn date() -> BoxedStrategy<String> {
    prop::sample::select(vec!["1-Jan-2024", "\"29-feb-2024\"", "31-DEC-1970", "01-Aug-2000"])
        .prop_map(str::to_owned)
        .boxed()
}

fn search_key() -> BoxedStrategy<String> {
    let plain = prop::sample::select(vec![
        "ALL",
        "ANSWERED",
        "deleted",
        "DRAFT",
        "FLAGGED",
        "NEW",
        "OLD",
        "RECENT",
        "SEEN",
        "UNANSWERED",
        "UNDELETED",
        "UNDRAFT",
        "UNFLAGGED",
        "UNSEEN",
        "KEYWORD $x",
        "UNKEYWORD y",
        "LARGER 10",
        "SMALLER 4294967295",
        "MODSEQ 7",
    ]);
    let leaf = prop_oneof![
        plain.prop_map(str::to_owned),
        (prop::sample::select(vec!["BCC", "BODY", "cc", "FROM", "SUBJECT", "TEXT", "TO"]), astring())
            .prop_map(|(key, text)| format!("{key} {text}")),
        (astring(), astring()).prop_map(|(field, text)| format!("HEADER {field} {text}")),
        (prop::sample::select(vec!["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"]), date())
            .prop_map(|(key, date)| format!("{key} {date}")),
        sequence(),
        sequence().prop_map(|uids| format!("UID {uids}")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("OR {left} {right}")),
            prop::collection::vec(inner, 1..4).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
    .boxed()
}

fn fetch_item() -> BoxedStrategy<String> {
    let plain = prop::sample::select(vec![
        "UID",
        "FLAGS",
        "INTERNALDATE",
        "ENVELOPE",
        "BODY",
        "BODYSTRUCTURE",
        "RFC822",
        "rfc822.header",
        "RFC822.SIZE",
        "RFC822.TEXT",
        "MODSEQ",
    ]);
    let names = prop::collection::vec(astring(), 1..4).prop_map(|names| format!("({})", names.join(" ")));
    let text = prop_oneof![
        prop::sample::select(vec!["HEADER", "text"]).prop_map(str::to_owned),
        names.clone().prop_map(|names| format!("HEADER.FIELDS {names}")),
        names.prop_map(|names| format!("HEADER.FIELDS.NOT {names}")),
    ];
    let section = prop_oneof![
        Just(String::new()),
        "[1-9][0-9]?(\\.[1-9]){0,3}",
        text.clone(),
        ("[1-9](\\.[1-9])?", text).prop_map(|(part, text)| format!("{part}.{text}")),
        "[1-9]\\.MIME",
    ];
    let partial = prop::sample::select(vec!["", "<0.1>", "<100.4096>"]);
    prop_oneof![
        plain.prop_map(str::to_owned),
        (prop::sample::select(vec!["BODY", "body.peek"]), section, partial)
            .prop_map(|(name, section, partial)| format!("{name}[{section}]{partial}")),
    ]
    .boxed()
}

fn select_parameters() -> BoxedStrategy<String> {
    let known = "[1-9]{1,3}(:[1-9]{1,3})?(,[1-9]{1,3})?";
    let qresync = (1u32.., 1i64.., prop::option::of(known), prop::option::of((known, known))).prop_map(
        |(validity, mod_seq, uids, pairs)| {
            let uids = uids.map(|uids| format!(" {uids}")).unwrap_or_default();
            let pairs = pairs.map(|(numbers, uids)| format!(" ({numbers} {uids})")).unwrap_or_default();
            format!(" (QRESYNC ({validity} {mod_seq}{uids}{pairs}))")
        },
    );
    prop_oneof![Just(String::new()), Just(" (CONDSTORE)".to_owned()), qresync].boxed()
}

fn command() -> BoxedStrategy<String> {
    let bare = prop::sample::select(vec![
        "CAPABILITY",
        "noop",
        "LOGOUT",
        "STARTTLS",
        "CHECK",
        "CLOSE",
        "EXPUNGE",
        "UNSELECT",
        "IDLE",
        "NAMESPACE",
        "ID NIL",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE PLAIN =",
        "authenticate plain AGEAYg==",
        "ENABLE CONDSTORE x",
        "SETQUOTA \"\" (STORAGE 5)",
        "ID (\"name\" NIL \"version\" \"1\")",
    ]);
    let uid = prop::sample::select(vec!["", "UID "]);
    let fetch_modifiers = prop::sample::select(vec!["", " (CHANGEDSINCE 5)"]);
    let items = prop_oneof![
        fetch_item(),
        prop::sample::select(vec!["ALL", "fast", "FULL"]).prop_map(str::to_owned),
        prop::collection::vec(fetch_item(), 1..4).prop_map(|items| format!("({})", items.join(" "))),
    ];
    let status = prop::collection::vec(
        prop::sample::select(vec![
            "MESSAGES",
            "recent",
            "UIDNEXT",
            "UIDVALIDITY",
            "UNSEEN",
            "HIGHESTMODSEQ",
            "DELETED",
        ]),
        1..4,
    );
    let store =
        prop::sample::select(vec!["FLAGS", "+FLAGS", "-flags.silent", "(UNCHANGEDSINCE 3) FLAGS.SILENT"]);
    prop_oneof![
        bare.prop_map(str::to_owned),
        (astring(), astring()).prop_map(|(user, password)| format!("LOGIN {user} {password}")),
        (prop::sample::select(vec!["SELECT", "examine"]), mailbox(), select_parameters())
            .prop_map(|(name, mailbox, parameters)| format!("{name} {mailbox}{parameters}")),
        (
            prop::sample::select(vec!["CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETQUOTAROOT"]),
            mailbox()
        )
            .prop_map(|(name, mailbox)| format!("{name} {mailbox}")),
        astring().prop_map(|root| format!("GETQUOTA {root}")),
        (mailbox(), mailbox()).prop_map(|(from, to)| format!("RENAME {from} {to}")),
        (prop::sample::select(vec!["LIST", "lsub"]), mailbox(), prop_oneof![mailbox(), "[a-z%*]{1,4}"])
            .prop_map(|(name, reference, pattern)| format!("{name} {reference} {pattern}")),
        (mailbox(), status).prop_map(|(mailbox, items)| format!("STATUS {mailbox} ({})", items.join(" "))),
        (uid.clone(), sequence(), items, fetch_modifiers)
            .prop_map(|(uid, set, items, modifiers)| format!("{uid}FETCH {set} {items}{modifiers}")),
        (uid.clone(), sequence(), store, flags())
            .prop_map(|(uid, set, how, flags)| format!("{uid}STORE {set} {how} {flags}")),
        (uid.clone(), prop::sample::select(vec!["COPY", "MOVE"]), sequence(), mailbox())
            .prop_map(|(uid, name, set, mailbox)| format!("{uid}{name} {set} {mailbox}")),
        sequence().prop_map(|uids| format!("UID EXPUNGE {uids}")),
        (uid, prop::sample::select(vec!["", "CHARSET UTF-8 "]), prop::collection::vec(search_key(), 1..4))
            .prop_map(|(uid, charset, keys)| format!("{uid}SEARCH {charset}{}", keys.join(" "))),
    ]
    .boxed()
}

/// Both readings of a whole command, as ours.
fn both(input: &[u8]) -> (Option<Command>, Option<Command>) {
    let ours = match read(input, &Limits::default()) {
        Reading::Complete(command) => Some(command),
        _ => None,
    };
    let theirs = match CommandCodec::default().decode(input) {
        Ok((b"", command)) => convert::command(&command),
        _ => None,
    };
    (ours, theirs)
}

/// Where we differ on purpose; told from the text alone.
fn is_known_difference(input: &[u8]) -> bool {
    // Octets above 127 in quoted strings, sizes of 64 bits, special uses, a CHANGEDSINCE of 0, an initial response
    // that is neither "=" nor anything, a charset that is any astring (RFC 3501), and
    // no "*" among the known messages of QRESYNC.
    let text = String::from_utf8_lossy(input).to_ascii_uppercase();
    let words = [
        "CHANGEDSINCE",
        "LARGER",
        "SMALLER",
        "CREATE",
        "MODSEQ",
        "CHARSET",
        "QRESYNC",
        "AUTHENTICATE PLAIN \r",
    ];
    // nz-number = digit-nz *DIGIT: imap-codec takes leading zeros.
    let leading_zero =
        input.windows(3).any(|at| !at[0].is_ascii_digit() && at[1] == b'0' && at[2].is_ascii_digit());
    !input.is_ascii() || leading_zero || words.iter().any(|word| text.contains(word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn commands_are_read_alike(command in command()) {
        let input = format!("tag {command}\r\n");
        let (ours, theirs) = both(input.as_bytes());
        // Only a name that is no modified UTF-7 may be refused.
        prop_assert!(ours.is_some() || input.contains('&'), "{}", input);
        prop_assert_eq!(ours, theirs, "{}", input);
    }

    #[test]
    fn damaged_commands_are_read_alike(
        command in command(),
        at in any::<prop::sample::Index>(),
        damage in prop_oneof![Just(None), prop::sample::select(b" ()[]{}\"\\\r\n*%,.:<>0a&~+=\x00\x7f\xc3".to_vec()).prop_map(Some)],
        insert in any::<bool>(),
    ) {
        let mut input = format!("tag {command}\r\n").into_bytes();
        let at = at.index(input.len());
        match damage {
            Some(octet) if insert => input.insert(at, octet),
            Some(octet) => input[at] = octet,
            None => { input.remove(at); }
        }
        let (ours, theirs) = both(&input);
        if !is_known_difference(&input) {
            prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&input));
        }
    }

    #[test]
    fn append_is_read_alike(
        mailbox in mailbox(),
        flags in prop::option::of(flags()),
        date in prop::option::of(prop::sample::select(vec!["\" 1-Jan-2024 00:00:00 +0000\"", "\"31-dec-1999 23:59:59 -0730\""])),
        message in "[ -~\r\n]{0,20}",
    ) {
        let flags = flags.map(|flags| format!(" {flags}")).unwrap_or_default();
        let date = date.map(|date| format!(" {date}")).unwrap_or_default();
        let prefix = format!("tag APPEND {mailbox}{flags}{date} {{{}+}}\r\n", message.len());
        let theirs = match CommandCodec::default().decode(format!("{prefix}{message}\r\n").as_bytes()) {
            Ok((b"", theirs)) => convert::append(&theirs.body),
            _ => None,
        };
        let ours = match read(prefix.as_bytes(), &Limits::default()) {
            Reading::Append(_, append) => {
                prop_assert_eq!(append.literal.size, message.len() as u64);
                let date = append.date.map(|date| date.to_rfc3339());
                Some((append.mailbox, append.flags, date, message.into_bytes()))
            }
            _ => None,
        };
        prop_assert_eq!(ours, theirs);
    }
}
