use proptest::prelude::*;

use super::*;
use crate::wire::command::CommandBody;
use crate::wire::grammar::{AuthenticateResponse, authenticate_response, is_idle_done};

/// What the caller does with an APPEND.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Accept,
    Refuse,
    /// Accept, and give up at the first chunk.
    GiveUp,
}

/// Decodes `input`, cut into `pieces`, the way the connection does; consecutive chunks are joined.
fn decode(limits: Limits, verdict: Verdict, pieces: &[&[u8]]) -> Vec<Input> {
    let mut decoder = Decoder::new(limits);
    let mut inputs: Vec<Input> = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        while let Some(input) = decoder.decode() {
            match &input {
                Input::Append { .. } if verdict == Verdict::Refuse => decoder.refuse_append(),
                Input::Append { .. } => decoder.accept_append(),
                Input::AppendChunk(_) if verdict == Verdict::GiveUp => decoder.refuse_append(),
                Input::Command(command) => match command.body {
                    CommandBody::Idle | CommandBody::Authenticate { .. } => decoder.expect_line(),
                    _ => {}
                },
                _ => {}
            }
            match (inputs.last_mut(), input) {
                (Some(Input::AppendChunk(before)), Input::AppendChunk(more)) => {
                    // What was given up is dropped: how much came before that depends on the cut.
                    if verdict == Verdict::Accept {
                        *before = [&before[..], &more].concat().into();
                    }
                }
                (_, Input::AppendChunk(_)) if verdict == Verdict::GiveUp => {
                    inputs.push(Input::AppendChunk(Bytes::new()));
                }
                (_, input) => inputs.push(input),
            }
        }
    }
    inputs
}

/// One line for each input, to compare with.
fn show(inputs: &[Input]) -> Vec<String> {
    let line = |input: &Input| match input {
        Input::Command(command) => format!("{} {}", command.tag, command.body.name()),
        Input::LiteralWanted => "+".to_owned(),
        Input::Append { tag, append } => format!("{tag} APPEND {} {}", append.mailbox, append.literal.size),
        Input::AppendChunk(chunk) => format!("chunk {}", String::from_utf8_lossy(chunk)),
        Input::AppendEnd => "end".to_owned(),
        Input::Line(line) => format!("line {}", String::from_utf8_lossy(line)),
        Input::Bad { tag: Some(tag), text } => format!("{tag} BAD {text}"),
        Input::Bad { tag: None, text } => format!("* BAD {text}"),
        Input::Fatal(text) => format!("BYE {text}"),
    };
    inputs.iter().map(line).collect()
}

/// Decodes `input` whole and cut at every octet, into two pieces and into single octets.
#[track_caller]
fn check(limits: Limits, verdict: Verdict, input: &[u8], expected: &[&str]) {
    assert_eq!(show(&decode(limits, verdict, &[input])), expected);
    for cut in 0..=input.len() {
        let (before, after) = input.split_at(cut);
        assert_eq!(show(&decode(limits, verdict, &[before, after])), expected, "cut at {cut}");
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(show(&decode(limits, verdict, &octets)), expected, "octet by octet");
}

#[track_caller]
fn check_default(input: &[u8], expected: &[&str]) {
    check(Limits::default(), Verdict::Accept, input, expected);
}

/// Limits that a test can exceed.
fn small() -> Limits {
    Limits { line: 64, literal: 16, literals: 3, command: 100, drain: 50, ..Limits::default() }
}

#[test]
fn pipelined_commands_come_one_by_one() {
    check_default(
        b"a1 NOOP\r\na2 uid Fetch 1:* (FLAGS)\r\na3 LOGOUT\r\n",
        &["a1 NOOP", "a2 UID FETCH", "a3 LOGOUT"],
    );
}

#[test]
fn synchronizing_literals_are_asked_for_and_collected() {
    check_default(
        b"a LOGIN {3}\r\nb\r\n {4}\r\nx {1\r\nb SELECT {0}\r\n\r\n",
        &["+", "+", "a LOGIN", "+", "b SELECT"],
    );
}

#[test]
fn non_synchronizing_literals_are_collected_without_asking() {
    check_default(b"a LOGIN {3+}\r\n}\r\n {1+}\r\nx\r\nb NOOP\r\n", &["a LOGIN", "b NOOP"]);
}

#[test]
fn literal_octets_reach_the_command() {
    let inputs = decode(Limits::default(), Verdict::Accept, &[b"a LOGIN {4+}\r\na\r\n\" \"p\\\"w\"\r\n"]);
    let [Input::Command(command)] = inputs.as_slice() else { panic!("{inputs:?}") };
    let CommandBody::Login { user, password } = &command.body else { panic!("{command:?}") };
    assert_eq!((&user[..], &password.expose()[..]), (&b"a\r\n\""[..], &b"p\"w"[..]));
    assert!(!format!("{command:?}").contains("p\\\""), "a password must not be printed");
}

#[test]
fn append_streams_its_message() {
    check_default(
        b"a APPEND Sent (\\Seen) {7}\r\na\r\n.\r\nb\r\nc NOOP\r\n",
        &["a APPEND Sent 7", "chunk a\r\n.\r\nb", "end", "c NOOP"],
    );
    check_default(b"a APPEND {6}\r\nDrafts {0}\r\n\r\n", &["+", "a APPEND Drafts 0", "end"]);
}

#[test]
fn refused_synchronizing_append_is_over_at_once() {
    check(Limits::default(), Verdict::Refuse, b"a APPEND x {5}\r\nb NOOP\r\n", &["a APPEND x 5", "b NOOP"]);
}

#[test]
fn refused_non_synchronizing_append_never_runs_its_message() {
    check(
        Limits::default(),
        Verdict::Refuse,
        b"a APPEND x {12+}\r\nz DELETE y\r\n {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n",
        &["a APPEND x 12", "b NOOP"],
    );
}

#[test]
fn append_given_up_in_the_middle_drops_the_rest_of_its_message() {
    check(
        Limits::default(),
        Verdict::GiveUp,
        b"a APPEND x {12}\r\nz DELETE y\r\n\r\nb NOOP\r\n",
        &["a APPEND x 12", "chunk ", "b NOOP"],
    );
}

#[test]
fn only_one_message_per_append() {
    check_default(
        b"a APPEND x {1+}\r\nm {9+}\r\nz LOGOUT\r\r\nb NOOP\r\n",
        &["a APPEND x 1", "chunk m", "a BAD expected the end of the command after the message", "b NOOP"],
    );
}

#[test]
fn refused_command_swallows_its_non_synchronizing_literals() {
    check_default(
        b"a FROB {12+}\r\nz DELETE y\r\n {4+}\r\nz x\n more\r\nb NOOP\r\n",
        &["a BAD unknown command", "b NOOP"],
    );
    // The client waits for its synchronising literal, and hears BAD instead.
    check_default(b"a FROB {12}\r\nb NOOP\r\n", &["a BAD unknown command", "b NOOP"]);
}

#[test]
fn line_feed_alone_ends_nothing() {
    check_default(
        b"a NOOP\nb DELETE x\r\nc NOOP\r\n",
        &["a BAD line feed without carriage return", "c NOOP"],
    );
    check_default(
        b"\nb LOGIN {3+}\r\n\r\r\n\r\nc NOOP\r\n",
        &["* BAD line feed without carriage return", "c NOOP"],
    );
    // The carriage return is the literal's last octet, not the line end's first.
    check_default(
        b"a LOGIN {1+}\r\n\r\n x\r\nc NOOP\r\n",
        &["a BAD line feed without carriage return", "c NOOP"],
    );
}

#[test]
fn carriage_return_inside_a_line_is_refused() {
    check_default(
        b"a NOOP\r\r\nb NO\rOP\r\n",
        &["a BAD unexpected argument at the end of the command", "b BAD unknown command"],
    );
}

#[test]
fn long_line_is_refused_as_one_line() {
    let long = [b"a LIST \"\" ", &[b'x'; 60][..], b"\r\nb NOOP\r\n"].concat();
    check(small(), Verdict::Accept, &long, &["a BAD command line too long", "b NOOP"]);
    let with_literal = [b"a ", &[b'x'; 90][..], b" {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n"].concat();
    check(small(), Verdict::Accept, &with_literal, &["a BAD command line too long", "b NOOP"]);
}

#[test]
fn large_and_many_literals_are_refused() {
    check(
        small(),
        Verdict::Accept,
        b"a LOGIN {17+}\r\nz NOOP\r\nz NOOP\r\nz x\r\nb LOGIN {17}\r\nc NOOP\r\n",
        &["a BAD literal too large", "b BAD literal too large", "c NOOP"],
    );
    check(
        small(),
        Verdict::Accept,
        b"a ID ({1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd)\r\nb NOOP\r\n",
        &["a BAD too many literals", "b NOOP"],
    );
    let command = [
        b"a ID (\"",
        &[b'x'; 40][..],
        b"\" {16+}\r\n",
        &[b'y'; 16],
        b" \"",
        &[b'x'; 50],
        b"\" NIL)\r\nb NOOP\r\n",
    ];
    check(small(), Verdict::Accept, &command.concat(), &["a BAD command line too long", "b NOOP"]);
}

#[test]
fn absurd_unasked_literal_ends_the_connection() {
    for size in ["51", "18446744073709551616", "999999999999999999999999999999999999999999999"] {
        let input = format!("a LOGIN {{{size}+}}\r\nz NOOP\r\n");
        let inputs = show(&decode(small(), Verdict::Accept, &[input.as_bytes()]));
        assert_eq!(inputs.len(), 2, "{inputs:?}");
        assert_eq!(inputs[1], "BYE literal too large");
    }
}

#[test]
fn idle_and_authenticate_take_lines() {
    check_default(
        b"a IDLE\r\nDONE\r\nb AUTHENTICATE PLAIN\r\n*\r\nc IDLE\r\nc NOOP\r\nd NOOP\r\n",
        &["a IDLE", "line DONE", "b AUTHENTICATE", "line *", "c IDLE", "line c NOOP", "d NOOP"],
    );
    assert!(is_idle_done(b"Done") && !is_idle_done(b"DONE "));
    assert_eq!(authenticate_response(b"*"), Ok(AuthenticateResponse::Cancel));
    assert!(
        matches!(authenticate_response(b"AGEAYg=="), Ok(AuthenticateResponse::Data(data)) if data.expose() == "\0a\0b")
    );
    assert!(authenticate_response(b"AGEAYg=").is_err());
}

#[test]
fn line_feed_alone_does_not_end_idle() {
    check_default(
        b"a IDLE\r\nDONE\nb DELETE x\r\nc NOOP\r\n",
        &["a IDLE", "* BAD line feed without carriage return", "c NOOP"],
    );
}

#[test]
fn what_was_sent_behind_starttls_is_thrown_away() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(b"a STARTTLS\r\nb LOGIN mallory x\r\nc NO");
    assert!(
        matches!(decoder.decode(), Some(Input::Command(command)) if command.body == CommandBody::StartTls)
    );
    assert_eq!(decoder.discard_buffered(), 23);
    assert_eq!(decoder.decode(), None);
    decoder.buffer().extend_from_slice(b"d NOOP\r\n");
    assert_eq!(show(&[decoder.decode().unwrap()]), ["d NOOP"]);
}

#[test]
fn between_commands_means_nothing_begun() {
    let mut decoder = Decoder::new(Limits::default());
    assert!(decoder.is_between_commands());
    decoder.buffer().extend_from_slice(b"a NOOP\r\nb");
    assert!(decoder.decode().is_some());
    assert!(!decoder.is_between_commands());
    decoder.buffer().extend_from_slice(b" IDLE\r\n");
    assert!(decoder.decode().is_some());
    decoder.expect_line();
    assert!(decoder.is_between_commands());
}

#[test]
fn empty_and_tagless_lines_are_bad() {
    check_default(
        b"\r\n* NOOP\r\n NOOP\r\na\r\n",
        &["* BAD expected a tag", "* BAD expected a tag", "* BAD expected a tag", "a BAD expected a space"],
    );
}

/// Fragments that make interesting nonsense when put side by side.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "a ",
        "b NOOP\r\n",
        "c IDLE\r\n",
        "DONE\r\n",
        "d LOGIN ",
        "e APPEND x ",
        "f UID FETCH 1:* ",
        "g SEARCH ",
        "{0}\r\n",
        "{3}\r\n",
        "{3+}\r\n",
        "{40+}\r\n",
        "{4",
        "+}\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\"",
        "\\",
        "(",
        ")",
        "BODY[1.HEADER.FIELDS (x)]<0.1>",
        "NOT OR ",
        "1,2:*",
        "xyz",
        "h AUTHENTICATE PLAIN\r\n",
        "*\r\n",
        "i FROB ",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..70),
    ]
}

proptest! {
    #[test]
    fn cutting_the_input_changes_nothing(
        fragments in prop::collection::vec(fragment(), 0..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        refuse in any::<bool>(),
    ) {
        let input = fragments.concat();
        let verdict = if refuse { Verdict::Refuse } else { Verdict::Accept };
        let whole = decode(small(), verdict, &[&input]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&decode(small(), verdict, &pieces), &whole);
        let octets: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&decode(small(), verdict, &octets), &whole);
    }

    #[test]
    fn arbitrary_octets_never_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
        decode(small(), Verdict::Accept, &[&input]);
    }
}
