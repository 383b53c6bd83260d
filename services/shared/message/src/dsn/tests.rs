use super::*;
use crate::skeleton::{SectionText, SkeletonBuilder};

fn at(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

fn build_with(action: Action, diagnostic: &str, original: Original<'_>) -> Vec<u8> {
    build(&Report {
        reporting_mta: &Domain::parse("mx.north.test").unwrap(),
        from: &Address::parse("MAILER-DAEMON@mx.north.test").unwrap(),
        to: &Address::parse("alice@north.test").unwrap(),
        envelope_id: Some("env-1"),
        queue_id: "0190",
        arrival: at("2024-06-03T10:00:00Z"),
        now: at("2024-06-03T11:00:00Z"),
        id: Uuid::from_u128(7),
        recipients: vec![RecipientReport {
            recipient: &Address::parse("bob@south.test").unwrap(),
            original_recipient: Some("rfc822;bob@south.test"),
            action,
            status: "5.1.1",
            remote_mta: Some("mx.south.test"),
            diagnostic: Some(Diagnostic::Smtp(diagnostic)),
            last_attempt: Some(at("2024-06-03T10:59:00Z")),
        }],
        original,
    })
}

/// The parts' bodies, by our own reader.
fn parts(message: &[u8]) -> Vec<(String, String)> {
    let mut builder = SkeletonBuilder::default();
    builder.push(message);
    let skeleton = builder.finish().skeleton;
    (1..=3)
        .map(|n| {
            let part = skeleton.part(&[n]).unwrap();
            let range = skeleton.section_range(&[n], SectionText::Whole).unwrap();
            let body = &message[range.start as usize..range.end as usize];
            (
                format!("{}/{}", part.media_type, part.media_subtype),
                String::from_utf8_lossy(body).into_owned(),
            )
        })
        .collect()
}

#[test]
fn failure_report_has_the_fields_of_rfc3464() {
    let message = build_with(
        Action::Failed,
        "550 5.1.1 no such user",
        Original::Headers(b"Subject: hi\r\nFrom: a@b\r\n\r\nsecret body"),
    );
    let parts = parts(&message);
    assert_eq!(parts[0].0, "text/plain");
    assert!(parts[0].1.contains("550 5.1.1 no such user"));
    assert_eq!(parts[1].0, "message/delivery-status");
    assert_eq!(
        parts[1].1,
        "Reporting-MTA: dns; mx.north.test\r\nOriginal-Envelope-Id: env-1\r\n\
         Arrival-Date: Mon, 3 Jun 2024 10:00:00 +0000\r\n\r\n\
         Original-Recipient: rfc822;bob@south.test\r\nFinal-Recipient: rfc822; bob@south.test\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.south.test\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\
         Last-Attempt-Date: Mon, 3 Jun 2024 10:59:00 +0000\r\n"
    );
    assert_eq!(parts[2], ("text/rfc822-headers".to_owned(), "Subject: hi\r\nFrom: a@b\r\n".to_owned()));
}

#[test]
fn delay_report_says_until_when() {
    let message = build_with(
        Action::Delayed { until: at("2024-06-08T10:00:00Z") },
        "451 later",
        Original::Headers(b""),
    );
    let status = &parts(&message)[1].1;
    assert!(status.contains("Action: delayed\r\n"));
    assert!(status.contains("Will-Retry-Until: Sat, 8 Jun 2024 10:00:00 +0000\r\n"));
}

#[test]
fn full_message_is_returned_only_if_seven_bit() {
    let full = b"Subject: hi\r\n\r\nbody\r\n";
    assert_eq!(
        parts(&build_with(Action::Failed, "550 x", Original::Full(full)))[2],
        ("message/rfc822".to_owned(), "Subject: hi\r\n\r\nbody\r\n".to_owned())
    );
    let eight_bit = "Subject: hi\r\n\r\nä\r\n".as_bytes();
    assert_eq!(
        parts(&build_with(Action::Failed, "550 x", Original::Full(eight_bit)))[2].1,
        "Subject: hi\r\n"
    );
}

#[test]
fn output_is_seven_bit_with_crlf_whatever_comes_in() {
    let long = format!("550 {} \u{e4}\r\n.\r\nInjected: x {}", "w".repeat(1500), "word ".repeat(100));
    let header = format!("Subject: ä{}\r\nX: =\r\n", "x".repeat(2000));
    let message = build_with(Action::Failed, &long, Original::Headers(header.as_bytes()));
    assert!(is_seven_bit(&message));
    assert!(!message.windows(12).any(|w| w == b"\r\nInjected: x"));
    let decoded = crate::text::decode_quoted_printable(parts(&message)[2].1.as_bytes(), 10_000);
    assert_eq!(decoded, header.as_bytes());
}
