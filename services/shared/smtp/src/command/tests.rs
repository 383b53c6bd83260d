use proptest::prelude::*;
use staffetta_message::address::Address;

use super::*;

fn parse(line: &str) -> Result<Command, CommandError> {
    Command::parse(line.as_bytes())
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn sender(line: &str) -> ReversePath {
    match parse(line).unwrap() {
        Command::Mail(path, _) => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn verbs_are_taken_in_any_case() {
    assert_eq!(parse("dAtA"), Ok(Command::Data));
    assert_eq!(parse("quit "), Ok(Command::Quit));
    assert_eq!(parse("NOOP whatever you like"), Ok(Command::Noop));
    assert_eq!(parse("rcpt to:<a@b.test>"), Ok(Command::Rcpt(ForwardPath::Address(address("a@b.test")))));
    assert_eq!(parse("FOO"), Err(CommandError::Unknown));
    assert_eq!(parse(""), Err(CommandError::Unknown));
}

#[test]
fn commands_without_argument_refuse_one() {
    for line in ["DATA now", "RSET x", "QUIT x", "STARTTLS x"] {
        assert!(matches!(parse(line), Err(CommandError::Syntax(_))), "{line}");
    }
}

#[test]
fn client_names_are_limited_in_octets_and_characters() {
    assert!(matches!(parse("EHLO [IPv6:::1]"), Ok(Command::Ehlo(_))));
    for bad in ["EHLO", "EHLO  ", "EHLO a b", "EHLO a<b", &format!("EHLO {}", "a".repeat(256))] {
        assert!(matches!(parse(bad), Err(CommandError::Syntax(_))), "{bad}");
    }
}

#[test]
fn rfc5321_4_1_2_reverse_paths() {
    assert_eq!(sender("MAIL FROM:<>"), None);
    assert_eq!(sender("MAIL FROM: <a@b.test>"), Some(address("a@b.test")));
    assert_eq!(sender("mail from:<@x.test,@y.test:a@b.test>"), Some(address("a@b.test")));
    assert_eq!(sender(r#"MAIL FROM:<"a > b\""@b.test> SIZE=10"#), Some(address(r#""a > b\""@b.test"#)));
    for bad in [
        "MAIL FROM:a@b.test",
        "MAIL FROM:<a@b.test",
        "MAIL FROM:<a@b.test>SIZE=1",
        "MAIL FROM:<a>",
        "MAIL FROM:",
    ] {
        assert!(matches!(parse(bad), Err(CommandError::BadSender(_))), "{bad}");
    }
    for bad in ["MAIL", "MAIL <a@b.test>", "MAIL TO:<a@b.test>"] {
        assert!(matches!(parse(bad), Err(CommandError::Syntax(_))), "{bad}");
    }
}

#[test]
fn postmaster_needs_no_domain() {
    assert_eq!(parse("RCPT TO:<PostMaster>"), Ok(Command::Rcpt(ForwardPath::Postmaster)));
    assert!(matches!(parse("RCPT TO:<root>"), Err(CommandError::BadRecipient(_))));
    assert!(matches!(parse("RCPT TO:<>"), Err(CommandError::BadRecipient(_))));
}

#[test]
fn parameters_are_those_of_offered_extensions_only() {
    let Ok(Command::Mail(_, parameters)) = parse("MAIL FROM:<> size=1000 BODY=8bitmime AUTH=<>") else {
        panic!("refused")
    };
    assert_eq!(parameters, MailParameters { size: Some(1000), body: BodyType::EightBitMime });
    for unknown in ["MAIL FROM:<> RET=FULL", "MAIL FROM:<> SMTPUTF8", "RCPT TO:<a@b.test> NOTIFY=NEVER"] {
        assert_eq!(parse(unknown), Err(CommandError::UnknownParameter), "{unknown}");
    }
    for bad in ["SIZE=", "SIZE=-1", "SIZE=1 SIZE=2", "BODY=9BIT", "SIZE=123456789012345678901", "AUTH"] {
        let line = format!("MAIL FROM:<> {bad}");
        assert!(matches!(parse(&line), Err(CommandError::BadParameter(_))), "{line}");
    }
    assert!(matches!(
        parse("MAIL FROM:<> SIZE=99999999999999999999"),
        Ok(Command::Mail(_, MailParameters { size: Some(u64::MAX), .. }))
    ));
}

#[test]
fn addresses_beyond_ascii_are_refused_with_the_code_of_smtputf8() {
    let error = Command::parse("MAIL FROM:<ä@b.test>".as_bytes()).unwrap_err();
    assert_eq!((error.reply().code(), error), (553, CommandError::NeedsUtf8));
}

#[test]
fn auth_keeps_its_secret_out_of_debug() {
    let command = parse("auth plain AGEAc2VjcmV0").unwrap();
    assert_eq!(
        command,
        Command::Auth { mechanism: "PLAIN".to_owned(), initial: Some("AGEAc2VjcmV0".to_owned()) }
    );
    assert_eq!(format!("{command:?}"), "AUTH PLAIN ..");
    assert!(matches!(parse("AUTH"), Err(CommandError::Syntax(_))));
    assert!(matches!(parse("AUTH PLAIN a b"), Err(CommandError::Syntax(_))));
}

proptest! {
    #[test]
    fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::parse(&line);
    }

    #[test]
    fn no_path_panics(path in "[<>\"\\\\@:,. a-c]{0,30}") {
        let _ = parse(&format!("MAIL FROM:{path}"));
        let _ = parse(&format!("RCPT TO:{path}"));
    }
}
