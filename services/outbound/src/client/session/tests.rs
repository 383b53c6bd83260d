//! Sessions as text: `S:` what the server says, `C:` what we must say.

use staffetta_chassis::config::Secret;
use staffetta_message::address::Address;
use staffetta_outbound_api::{RecipientId, Verdict};
use staffetta_smtp::capabilities::Capabilities;
use staffetta_smtp::reply::{Reply, ReplyReader};

use super::*;

fn reply(text: &str) -> Reply {
    let mut buffer = bytes::BytesMut::from(format!("{}\r\n", text.replace('|', "\r\n")).as_str());
    ReplyReader::new().next_reply(&mut buffer).unwrap().unwrap()
}

fn hello(tls: TlsUse, login: bool) -> Hello {
    let credentials =
        login.then(|| Credentials { username: "relay".to_owned(), password: Secret::new("secret") });
    Hello { name: "out.north.test".to_owned(), tls, credentials }
}

/// Plays a transcript; the last line is `ready` or `failed <enhanced code>`.
fn shake(hello: Hello, transcript: &str) {
    let (mut machine, mut step) = Handshake::start(hello, false);
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (who, text) = line.split_once(' ').unwrap_or((line, ""));
        match who {
            "C:" => match &step {
                HandshakeStep::Send(octets, _) => assert_eq!(octets, &format!("{text}\r\n")),
                other => panic!("expected {line}, got {other:?}"),
            },
            "S:" => step = machine.on_reply(&reply(text)),
            "tls" => {
                assert!(matches!(step, HandshakeStep::StartTls), "{step:?}");
                step = machine.on_tls(if text == "ok" { Ok(()) } else { Err(text.to_owned()) });
            }
            "ready" => assert!(matches!(step, HandshakeStep::Ready(_)), "{step:?}"),
            "failed" => match &step {
                HandshakeStep::Failed(failure) => {
                    assert_eq!(failure.enhanced.to_string(), text, "{failure:?}")
                }
                other => panic!("expected {line}, got {other:?}"),
            },
            _ => panic!("unknown line {line}"),
        }
    }
}

#[test]
fn starttls_is_used_where_offered_and_ehlo_is_said_again() {
    shake(
        hello(TlsUse::Opportunistic, false),
        "S: 220 mx ready
         C: EHLO out.north.test
         S: 250-mx|250-PIPELINING|250 STARTTLS
         C: STARTTLS
         S: 220 go
         tls ok
         C: EHLO out.north.test
         S: 250 mx
         ready",
    );
}

#[test]
fn ehlo_refused_falls_back_to_helo() {
    shake(
        hello(TlsUse::Opportunistic, false),
        "S: 220 mx
         C: EHLO out.north.test
         S: 502 what
         C: HELO out.north.test
         S: 250 mx
         ready",
    );
}

#[test]
fn capabilities_before_tls_are_forgotten() {
    let (mut machine, _) = Handshake::start(hello(TlsUse::Opportunistic, false), false);
    let _ = machine.on_reply(&reply("220 mx"));
    let _ = machine.on_reply(&reply("250-mx|250-PIPELINING|250 STARTTLS"));
    let _ = machine.on_reply(&reply("220 go"));
    let _ = machine.on_tls(Ok(()));
    match machine.on_reply(&reply("250 mx")) {
        HandshakeStep::Ready(offered) => assert!(!offered.pipelining && !offered.start_tls),
        other => panic!("{other:?}"),
    }
}

#[test]
fn required_tls_is_never_done_without() {
    shake(hello(TlsUse::Required, false), "S: 220 mx\nS: 250 mx\nfailed 4.7.4");
    shake(hello(TlsUse::Required, false), "S: 220 mx\nS: 502 what\nS: 250 mx\nfailed 4.7.4");
    shake(hello(TlsUse::Required, false), "S: 220 mx\nS: 250-mx|250 STARTTLS\nS: 454 no\nfailed 4.4.2");
    shake(
        hello(TlsUse::Required, false),
        "S: 220 mx\nS: 250-mx|250 STARTTLS\nS: 220 go\ntls bad\nfailed 4.7.5",
    );
}

#[test]
fn refused_starttls_is_passed_over_when_optional() {
    shake(hello(TlsUse::Opportunistic, false), "S: 220 mx\nS: 250-mx|250 STARTTLS\nS: 454 no\nready");
}

#[test]
fn broken_optional_tls_asks_for_a_connection_without() {
    let (mut machine, _) = Handshake::start(hello(TlsUse::Opportunistic, false), false);
    match machine.on_tls(Err("bad certificate".to_owned())) {
        HandshakeStep::Failed(failure) => assert!(failure.without_tls),
        other => panic!("{other:?}"),
    }
}

#[test]
fn auth_plain_and_login() {
    let start = "S: 220 mx\nS: 250-mx|250 STARTTLS\nS: 220 go\ntls ok\n";
    let plain = "S: 250-mx|250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AHJlbGF5AHNlY3JldA==\nS: 235 ok\nready";
    shake(hello(TlsUse::Required, true), &format!("{start}{plain}"));
    let login = "S: 250-mx|250 AUTH LOGIN
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: cmVsYXk=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 ok
        ready";
    shake(hello(TlsUse::Required, true), &format!("{start}{login}"));
    let refused = "S: 250-mx|250 AUTH PLAIN\nS: 535 5.7.8 no\nfailed 4.4.2";
    shake(hello(TlsUse::Required, true), &format!("{start}{refused}"));
}

#[test]
fn password_is_never_sent_in_the_clear() {
    shake(hello(TlsUse::Off, true), "S: 220 mx\nS: 250-mx|250 AUTH PLAIN\nfailed 4.7.4");
    shake(hello(TlsUse::Opportunistic, true), "S: 220 mx\nS: 250-mx|250 AUTH PLAIN\nfailed 4.7.4");
}

#[test]
fn unwelcoming_greeting_is_a_failure() {
    shake(hello(TlsUse::Opportunistic, false), "S: 554 go away\nfailed 4.4.2");
    shake(hello(TlsUse::Opportunistic, false), "S: 421 busy\nfailed 4.4.2");
}

// === transactions ===

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        sender: Some(Address::parse("alice@north.test").unwrap()),
        recipients: recipients
            .iter()
            .enumerate()
            .map(|(index, text)| (RecipientId(index as i32), Address::parse(text).unwrap()))
            .collect(),
        eight_bit: false,
        size: 100,
    }
}

fn offers(keywords: &str) -> Capabilities {
    Capabilities::parse(&keywords.split(',').fold(Reply::plain(250, "mx"), |r, k| r.line(k.to_owned())))
}

fn begin(envelope: &Envelope, keywords: &str) -> (Transaction, TransactionStep) {
    Transaction::start("mx.south.test", envelope, &offers(keywords), EightBitPolicy::Bounce, false)
}

fn sent(step: &TransactionStep) -> &str {
    match step {
        TransactionStep::Send(octets, _) => std::str::from_utf8(octets).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn outcome(step: TransactionStep) -> Outcome {
    match step {
        TransactionStep::Finished(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn verdicts(outcome: &Outcome) -> Vec<(i32, Verdict, Option<u16>)> {
    outcome.results.iter().map(|r| (r.recipient.0, r.verdict, r.reply.code)).collect()
}

#[test]
fn rfc2920_commands_go_out_in_one_group() {
    let (mut machine, step) = begin(&envelope(&["b@s.test", "c@s.test"]), "PIPELINING,SIZE 1000");
    let group =
        "MAIL FROM:<alice@north.test> SIZE=100\r\nRCPT TO:<b@s.test>\r\nRCPT TO:<c@s.test>\r\nDATA\r\n";
    assert_eq!(sent(&step), group);
    assert_eq!(sent(&machine.on_reply(&reply("250 ok"))), "");
    assert_eq!(sent(&machine.on_reply(&reply("250 ok"))), "");
    assert_eq!(sent(&machine.on_reply(&reply("550 5.1.1 no c"))), "");
    assert!(matches!(machine.on_reply(&reply("354 go")), TransactionStep::Body));
    assert_eq!(sent(&machine.on_body_sent()), "");
    let outcome = outcome(machine.on_reply(&reply("250 2.0.0 queued")));
    assert_eq!(verdicts(&outcome), [(0, Verdict::Delivered, Some(250)), (1, Verdict::Failed, Some(550))]);
    assert_eq!(outcome.results[1].reply.enhanced, "5.1.1");
    assert!(outcome.lost.is_none() && outcome.undecided.is_empty());
}

#[test]
fn without_pipelining_one_command_at_a_time() {
    let (mut machine, step) = begin(&envelope(&["b@s.test", "c@s.test"]), "X");
    assert_eq!(sent(&step), "MAIL FROM:<alice@north.test>\r\n");
    assert_eq!(sent(&machine.on_reply(&reply("250 ok"))), "RCPT TO:<b@s.test>\r\n");
    assert_eq!(sent(&machine.on_reply(&reply("450 later"))), "RCPT TO:<c@s.test>\r\n");
    assert_eq!(sent(&machine.on_reply(&reply("250 ok"))), "DATA\r\n");
    assert!(matches!(machine.on_reply(&reply("354 go")), TransactionStep::Body));
    let _ = machine.on_body_sent();
    let outcome = outcome(machine.on_reply(&reply("451 disk full")));
    assert_eq!(verdicts(&outcome), [(0, Verdict::Deferred, Some(450)), (1, Verdict::Deferred, Some(451))]);
    assert_eq!(outcome.results[1].reply.enhanced, "4.0.0");
}

#[test]
fn all_recipients_refused_sends_no_body() {
    let (mut machine, _) = begin(&envelope(&["b@s.test"]), "X");
    let _ = machine.on_reply(&reply("250 ok"));
    let outcome = outcome(machine.on_reply(&reply("550 no")));
    assert_eq!(verdicts(&outcome), [(0, Verdict::Failed, Some(550))]);
}

#[test]
fn rfc2920_3_1_a_lone_dot_answers_354_without_recipients() {
    let (mut machine, _) = begin(&envelope(&["b@s.test"]), "PIPELINING");
    let _ = machine.on_reply(&reply("250 ok"));
    let _ = machine.on_reply(&reply("550 no"));
    assert_eq!(sent(&machine.on_reply(&reply("354 go"))), ".\r\n");
    let outcome = outcome(machine.on_reply(&reply("250 took nothing")));
    assert_eq!(verdicts(&outcome), [(0, Verdict::Failed, Some(550))], "the refusal stands");
}

#[test]
fn refused_sender_is_the_result_of_every_recipient() {
    let (mut machine, _) = begin(&envelope(&["b@s.test", "c@s.test"]), "PIPELINING");
    for text in ["553 5.7.1 not you", "503 no MAIL", "503 no MAIL"] {
        assert_eq!(sent(&machine.on_reply(&reply(text))), "");
    }
    let outcome = outcome(machine.on_reply(&reply("503 no MAIL")));
    assert_eq!(verdicts(&outcome), [(0, Verdict::Failed, Some(553)), (1, Verdict::Failed, Some(553))]);
}

#[test]
fn lost_connection_before_the_dot_leaves_recipients_undecided() {
    let (mut machine, _) = begin(&envelope(&["b@s.test", "c@s.test"]), "PIPELINING");
    let _ = machine.on_reply(&reply("250 ok"));
    let _ = machine.on_reply(&reply("550 no"));
    let outcome = machine.on_lost("connection closed");
    assert_eq!(verdicts(&outcome), [(0, Verdict::Failed, Some(550))]);
    assert_eq!(outcome.undecided, [RecipientId(1)]);
    assert!(outcome.lost.is_some());
}

#[test]
fn lost_connection_after_the_dot_is_deferred_as_unknown() {
    let (mut machine, _) = begin(&envelope(&["b@s.test"]), "PIPELINING");
    for text in ["250 ok", "250 ok", "354 go"] {
        let _ = machine.on_reply(&reply(text));
    }
    let _ = machine.on_body_sent();
    let outcome = machine.on_lost("connection closed");
    assert_eq!(verdicts(&outcome), [(0, Verdict::Deferred, None)]);
    assert!(outcome.results[0].reply.text.contains("unknown"), "{:?}", outcome.results[0].reply);
    assert!(outcome.undecided.is_empty(), "no other host may be tried at once");
}

#[test]
fn rfc5321_3_8_421_ends_the_connection() {
    let (mut machine, _) = begin(&envelope(&["b@s.test"]), "PIPELINING");
    let outcome = outcome(machine.on_reply(&reply("421 shutting down")));
    assert_eq!(outcome.undecided, [RecipientId(0)]);
    assert_eq!(outcome.lost.unwrap().code, Some(421));
}

#[test]
fn reused_connection_is_reset_first() {
    let offered = offers("PIPELINING");
    let (_, step) =
        Transaction::start("mx", &envelope(&["b@s.test"]), &offered, EightBitPolicy::Bounce, true);
    assert!(sent(&step).starts_with("RSET\r\nMAIL FROM:"), "{}", sent(&step));
}

#[test]
fn rfc1870_too_large_a_message_is_not_sent() {
    let (_, step) = begin(&Envelope { size: 1001, ..envelope(&["b@s.test"]) }, "SIZE 1000");
    let outcome = outcome(step);
    assert_eq!(outcome.results[0].reply.enhanced, "5.3.4");
    assert_eq!(verdicts(&outcome), [(0, Verdict::Failed, None)]);
}

#[test]
fn rfc6152_eight_bit_body_needs_8bitmime_unless_told_otherwise() {
    let eight_bit = Envelope { eight_bit: true, ..envelope(&["b@s.test"]) };
    let (_, step) = begin(&eight_bit, "8BITMIME");
    assert!(sent(&step).starts_with("MAIL FROM:<alice@north.test> BODY=8BITMIME\r\n"));
    assert_eq!(outcome(begin(&eight_bit, "X").1).results[0].reply.enhanced, "5.6.3");
    let (_, step) = Transaction::start("mx", &eight_bit, &offers("X"), EightBitPolicy::Send, false);
    assert_eq!(sent(&step), "MAIL FROM:<alice@north.test>\r\n");
}

#[test]
fn null_sender_is_an_empty_path() {
    let (_, step) = begin(&Envelope { sender: None, ..envelope(&["b@s.test"]) }, "X");
    assert_eq!(sent(&step), "MAIL FROM:<>\r\n");
}

#[test]
fn kept_text_is_one_line_of_bounded_length() {
    let said = remote_reply("mx", &Reply::plain(550, "a\u{7}b".to_owned() + &"é".repeat(400)));
    assert!(said.text.starts_with("a b") && said.text.len() <= 512);
}
