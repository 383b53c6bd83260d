use proptest::prelude::*;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::TransactionId;
use staffetta_smtp::command::Command;
use uuid::Uuid;

use super::*;

fn facts(role: Role) -> Facts {
    Facts {
        role,
        hostname: "mx.north.test".to_owned(),
        encrypted: false,
        tls_available: true,
        plaintext_auth: false,
        max_message_size: 1_000,
        max_recipients: 2,
        max_errors: 3,
        max_transactions: 2,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn account() -> Account {
    Account { id: AccountId(7), address: address("alice@north.test") }
}

fn transaction_id() -> TransactionId {
    TransactionId(Uuid::from_u128(1))
}

fn remote(text: &str) -> Recipient {
    Recipient { address: address(text), route: Route::Remote }
}

fn say(session: &mut Session, line: &str) -> Effect {
    session.handle(Event::Command(Command::parse(line.as_bytes())))
}

/// The code of a reply; closing counts as negative.
fn code(effect: &Effect) -> i32 {
    match effect {
        Effect::Reply(reply) | Effect::StartTls(reply) | Effect::ReceiveBody(reply) => {
            i32::from(reply.code())
        }
        Effect::Close(reply) => -i32::from(reply.code()),
        other => panic!("no reply: {other:?}"),
    }
}

/// A session past MAIL, on the mx role.
fn with_sender(facts: Facts) -> Session {
    let mut session = Session::new(facts);
    assert_eq!(code(&say(&mut session, "EHLO client.test")), 250);
    assert!(matches!(say(&mut session, "MAIL FROM:<>"), Effect::JudgeSender(None)));
    assert_eq!(code(&session.handle(Event::SenderJudged(Ok(transaction_id())))), 250);
    session
}

fn add_recipient(session: &mut Session, text: &str) -> i32 {
    match say(session, &format!("RCPT TO:<{text}>")) {
        Effect::JudgeRecipient(_) => code(&session.handle(Event::RecipientJudged(Ok(remote(text))))),
        effect => code(&effect),
    }
}

#[test]
fn a_message_walks_through_every_state() {
    let mut session = with_sender(facts(Role::Mx));
    assert_eq!(add_recipient(&mut session, "bob@north.test"), 250);
    assert!(matches!(say(&mut session, "DATA"), Effect::OpenBody));
    assert_eq!(code(&session.handle(Event::BodyOpened(Ok(())))), 354);
    assert_eq!(session.transaction().unwrap().recipients().len(), 1);
    let accepted = Reply::new(250, EnhancedCode(2, 0, 0), "accepted");
    assert_eq!(code(&session.handle(Event::BodyFinished(accepted))), 250);
    assert!(session.transaction().is_none());
    assert_eq!(code(&say(&mut session, "QUIT")), -221);
    assert!(matches!(say(&mut session, "NOOP"), Effect::Hangup));
}

#[test]
fn commands_out_of_order_are_refused() {
    let mut generous = facts(Role::Mx);
    generous.max_errors = 100;
    let mut session = Session::new(generous.clone());
    for line in ["MAIL FROM:<>", "RCPT TO:<a@b.test>", "DATA"] {
        assert_eq!(code(&say(&mut session, line)), 503, "{line}");
    }
    say(&mut session, "EHLO client.test");
    for line in ["RCPT TO:<a@b.test>", "DATA"] {
        assert_eq!(code(&say(&mut session, line)), 503, "{line}");
    }
    let mut session = with_sender(generous);
    assert_eq!(code(&say(&mut session, "MAIL FROM:<>")), 503);
    assert_eq!(code(&say(&mut session, "DATA")), 554);
}

#[test]
fn reset_and_hello_end_a_transaction() {
    for line in ["RSET", "EHLO again.test", "HELO again.test"] {
        let mut session = with_sender(facts(Role::Mx));
        assert_eq!(code(&say(&mut session, line)), 250);
        assert!(session.transaction().is_none(), "{line}");
        assert!(matches!(say(&mut session, "MAIL FROM:<>"), Effect::JudgeSender(None)), "{line}");
    }
}

#[test]
fn starttls_forgets_everything_said_before() {
    let mut clear = facts(Role::Submission);
    clear.plaintext_auth = true;
    let mut session = Session::new(clear);
    say(&mut session, "EHLO client.test");
    assert!(matches!(say(&mut session, "AUTH PLAIN AGEAYg=="), Effect::Authenticate(_)));
    assert_eq!(code(&session.handle(Event::Authenticated(Ok(account())))), 235);
    assert!(matches!(say(&mut session, "STARTTLS"), Effect::StartTls(_)));
    assert!(matches!(session.handle(Event::TlsStarted), Effect::Listen));
    assert!(session.facts().encrypted && session.peer().is_none());
    assert_eq!(code(&say(&mut session, "MAIL FROM:<>")), 503, "EHLO is needed again");
    say(&mut session, "EHLO client.test");
    assert_eq!(code(&say(&mut session, "MAIL FROM:<>")), 530, "and so is AUTH");
    assert_eq!(code(&say(&mut session, "STARTTLS")), -421, "the third error: TLS is active already");
}

#[test]
fn passwords_are_asked_for_only_inside_tls() {
    let offers = |facts: Facts| {
        let mut session = Session::new(facts);
        match say(&mut session, "EHLO client.test") {
            Effect::Reply(reply) => reply.lines().any(|line| line.starts_with("AUTH")),
            other => panic!("{other:?}"),
        }
    };
    let clear = facts(Role::Submission);
    let encrypted = Facts { encrypted: true, ..clear.clone() };
    assert!(!offers(clear.clone()) && offers(encrypted.clone()));
    assert!(!offers(Facts { role: Role::Mx, ..encrypted }));
    let mut session = Session::new(clear);
    say(&mut session, "EHLO client.test");
    assert_eq!(code(&say(&mut session, "AUTH PLAIN AGEAYg==")), 538);
    let mut session = Session::new(Facts { encrypted: true, ..facts(Role::Mx) });
    say(&mut session, "EHLO client.test");
    assert_eq!(code(&say(&mut session, "AUTH PLAIN AGEAYg==")), 502);
}

#[test]
fn an_auth_exchange_takes_lines_not_commands() {
    let mut session = Session::new(Facts { encrypted: true, ..facts(Role::Submissions) });
    say(&mut session, "EHLO client.test");
    assert_eq!(code(&say(&mut session, "AUTH LOGIN")), 334);
    assert!(session.expects_auth_line());
    assert_eq!(code(&session.handle(Event::AuthLine(Bytes::from_static(b"YWxpY2U=")))), 334);
    assert!(matches!(session.handle(Event::AuthLine(Bytes::from_static(b"eA=="))), Effect::Authenticate(_)));
    assert!(!session.expects_auth_line());
    let refused = Reply::new(535, EnhancedCode(5, 7, 8), "no");
    assert_eq!(code(&session.handle(Event::Authenticated(Err(refused)))), 535);
    assert_eq!(code(&say(&mut session, "AUTH LOGIN")), 334);
    assert_eq!(code(&session.handle(Event::AuthLine(Bytes::from_static(b"*")))), 501);
    assert!(session.account().is_none() && !session.expects_auth_line());
}

#[test]
fn limits_on_errors_recipients_sizes_and_transactions_hold() {
    let mut session = Session::new(facts(Role::Mx));
    assert_eq!(["A", "B", "C"].map(|line| code(&say(&mut session, line))), [500, 500, -421]);

    let mut session = with_sender(facts(Role::Mx));
    let added = ["a@b.test", "b@b.test", "c@b.test"].map(|text| add_recipient(&mut session, text));
    assert_eq!(added, [250, 250, 452]);

    let mut session = Session::new(facts(Role::Mx));
    say(&mut session, "EHLO client.test");
    assert_eq!(code(&say(&mut session, "MAIL FROM:<> SIZE=1001")), 552);
    assert!(matches!(say(&mut session, "MAIL FROM:<> SIZE=1000"), Effect::JudgeSender(None)));

    let mut session = with_sender(facts(Role::Mx));
    say(&mut session, "RSET");
    say(&mut session, "MAIL FROM:<>");
    session.handle(Event::SenderJudged(Ok(transaction_id())));
    say(&mut session, "RSET");
    assert_eq!(code(&say(&mut session, "MAIL FROM:<>")), -421);
}

#[test]
fn a_repeated_recipient_is_one_recipient() {
    let mut session = with_sender(facts(Role::Mx));
    add_recipient(&mut session, "a@b.test");
    assert_eq!(add_recipient(&mut session, "a@b.test"), 250);
    assert_eq!(session.transaction().unwrap().recipients().len(), 1);
}

#[test]
fn drain_and_silence_end_a_session_at_a_command_boundary() {
    let mut session = with_sender(facts(Role::Mx));
    let Effect::Close(reply) = session.handle(Event::Draining) else { panic!() };
    assert_eq!((reply.code(), reply.enhanced()), (421, Some(EnhancedCode(4, 3, 2))));
    let mut session = Session::new(facts(Role::Mx));
    let Effect::Close(reply) = session.handle(Event::TimedOut) else { panic!() };
    assert_eq!((reply.code(), reply.enhanced()), (421, Some(EnhancedCode(4, 4, 2))));
}

#[test]
fn helo_clients_get_no_extensions() {
    let mut session = Session::new(facts(Role::Mx));
    let Effect::Reply(reply) = say(&mut session, "HELO old.test") else { panic!() };
    assert_eq!(reply.lines().count(), 1);
    assert_eq!(code(&say(&mut session, "MAIL FROM:<> SIZE=1")), 555);
}

fn any_line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "EHLO a.test",
        "HELO a.test",
        "MAIL FROM:<a@b.test>",
        "RCPT TO:<c@d.test>",
        "DATA",
        "RSET",
        "NOOP",
        "VRFY x",
        "QUIT",
        "STARTTLS",
        "AUTH PLAIN AGEAYg==",
        "AUTH LOGIN",
        "*",
        "YQ==",
        "HELP",
        "EXPN x",
        "nonsense",
    ])
}

proptest! {
    /// Whatever is said and whatever the policies answer: nobody who did not log in relays, no body begins without a
    /// recipient, and the machine never leaves a question unanswered.
    #[test]
    fn invariants_hold_for_any_conversation(
        lines in prop::collection::vec((any_line(), any::<bool>()), 0..40),
        submission in any::<bool>(),
        encrypted in any::<bool>(),
    ) {
        let role = if submission { Role::Submission } else { Role::Mx };
        let mut session =
            Session::new(Facts { encrypted, max_errors: 1_000, ..facts(role) });
        let no = || Reply::new(451, EnhancedCode(4, 3, 0), "no");
        let mut logged_in = false;
        for (line, yes) in lines {
            let mut effect = if session.expects_auth_line() {
                session.handle(Event::AuthLine(Bytes::from_static(line.as_bytes())))
            } else {
                say(&mut session, line)
            };
            loop {
                let event = match effect {
                    Effect::Reply(_) | Effect::Listen | Effect::Close(_) | Effect::Hangup => break,
                    Effect::StartTls(_) => {
                        logged_in = false;
                        Event::TlsStarted
                    }
                    Effect::Authenticate(_) => {
                        prop_assert!(session.facts().encrypted && submission);
                        logged_in |= yes;
                        Event::Authenticated(if yes { Ok(account()) } else { Err(no()) })
                    }
                    Effect::JudgeSender(_) => {
                        prop_assert!(!submission || logged_in);
                        Event::SenderJudged(if yes { Ok(transaction_id()) } else { Err(no()) })
                    }
                    Effect::JudgeRecipient(_) => {
                        Event::RecipientJudged(if yes { Ok(remote("c@d.test")) } else { Err(no()) })
                    }
                    Effect::OpenBody => {
                        prop_assert!(!session.transaction().unwrap().recipients().is_empty());
                        Event::BodyOpened(if yes { Ok(()) } else { Err(no()) })
                    }
                    Effect::ReceiveBody(_) => {
                        prop_assert!(!submission || session.account().is_some());
                        Event::BodyFinished(no())
                    }
                };
                effect = session.handle(event);
            }
            prop_assert_eq!(session.account().is_some(), logged_in && session.peer().is_some());
        }
    }
}
