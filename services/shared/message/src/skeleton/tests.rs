use proptest::prelude::*;

use super::*;

fn ingest(message: &[u8]) -> Ingested {
    let mut builder = SkeletonBuilder::default();
    builder.push(message);
    builder.finish()
}

fn skeleton(message: &str) -> Skeleton {
    ingest(message.as_bytes()).skeleton
}

/// The tree as text: type, header and body octets, lines.
fn tree(message: &str) -> String {
    fn show(message: &str, part: &Part, depth: usize, out: &mut String) {
        let range = part.body_range();
        let body = &message[range.start as usize..range.end as usize];
        let shown = if matches!(part.content, Content::Leaf) { format!(" {body:?}") } else { String::new() };
        out.push_str(&format!(
            "{}{}/{}{shown} {}\n",
            " ".repeat(depth),
            part.media_type,
            part.media_subtype,
            part.lines
        ));
        match &part.content {
            Content::Leaf => {}
            Content::Multipart(children) => {
                children.iter().for_each(|child| show(message, child, depth + 1, out));
            }
            Content::Message { root, .. } => show(message, root, depth + 1, out),
        }
    }
    let mut out = String::new();
    show(message, &skeleton(message).root, 0, &mut out);
    out
}

const NESTED: &str = "From: A <a@x.test>\r\nTo: b@y.test\r\nSubject: outer\r\n\
Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\npreamble\r\n--b1\r\n\r\nhello\r\nworld\r\n--b1 \r\n\
Content-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>\r\n\
--b2--\r\nepilogue --b2\r\n--b1\r\nContent-Type: message/rfc822\r\nContent-ID: <m@x>\r\n\r\n\
Subject: inner\r\nContent-Type: multipart/mixed; boundary=b3\r\n\r\n--b3\r\n\r\none\r\n--b3\r\n\
Content-Type: image/png; name=x\r\nContent-Transfer-Encoding: BASE64\r\n\
Content-Disposition: attachment; filename=\"x y.png\"\r\n\r\nAAAA\r\n--b3--\r\n--b1--\r\nend\r\n";

#[test]
fn nested_multiparts_and_messages() {
    assert_eq!(
        tree(NESTED),
        "multipart/mixed 33\n text/plain \"hello\\r\\nworld\" 1\n multipart/alternative 5\n  \
         text/html \"<p>\" 0\n message/rfc822 12\n  multipart/mixed 9\n   text/plain \"one\" 0\n   \
         image/png \"AAAA\" 0\n"
    );
}

#[test]
fn imap_section_numbers_of_rfc3501_6_4_5() {
    let skeleton = skeleton(NESTED);
    let text = |path: &[u32], text| {
        let range = skeleton.section_range(path, text)?;
        Some(NESTED[range.start as usize..range.end as usize].to_owned())
    };
    use SectionText::{Header, Mime, Text, Whole};
    assert_eq!(text(&[], Whole).unwrap(), NESTED);
    assert!(text(&[], Header).unwrap().ends_with("boundary=\"b1\"\r\n\r\n"));
    assert!(text(&[], Text).unwrap().starts_with("preamble"));
    assert_eq!(text(&[], Mime), None);
    assert_eq!(text(&[1], Whole).unwrap(), "hello\r\nworld");
    assert_eq!(text(&[1], Mime).unwrap(), "\r\n");
    assert_eq!(text(&[1], Header), None);
    assert_eq!(text(&[2, 1], Whole).unwrap(), "<p>");
    assert_eq!(text(&[2, 1], Mime).unwrap(), "Content-Type: text/html\r\n\r\n");
    assert!(text(&[3], Whole).unwrap().starts_with("Subject: inner"));
    assert!(text(&[3], Mime).unwrap().starts_with("Content-Type: message/rfc822"));
    assert_eq!(
        text(&[3], Header).unwrap(),
        "Subject: inner\r\nContent-Type: multipart/mixed; boundary=b3\r\n\r\n"
    );
    assert!(text(&[3], Text).unwrap().starts_with("--b3"));
    assert_eq!(text(&[3, 1], Whole).unwrap(), "one");
    assert_eq!(text(&[3, 2], Whole).unwrap(), "AAAA");
    for missing in [&[0][..], &[4], &[1, 1], &[3, 3], &[2, 1, 1], &[u32::MAX]] {
        assert_eq!(text(missing, Whole), None, "{missing:?}");
    }
}

#[test]
fn part_one_of_a_single_part_message_is_its_body() {
    let skeleton = skeleton("Subject: x\r\n\r\nbody\r\n");
    assert_eq!(skeleton.section_range(&[1], SectionText::Whole), Some(14..20));
    assert_eq!(skeleton.section_range(&[1], SectionText::Mime), Some(0..14));
    assert_eq!(skeleton.section_range(&[1, 1], SectionText::Whole), None);
    assert_eq!(skeleton.section_range(&[2], SectionText::Whole), None);
}

#[test]
fn part_numbers_inside_a_message_that_is_not_multipart() {
    let message =
        "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: z\r\n\r\nb";
    let skeleton = skeleton(message);
    let body =
        |path: &[u32]| skeleton.section_range(path, SectionText::Whole).map(|r| &message[r.start as usize..]);
    assert!(body(&[1]).unwrap().starts_with("Content-Type"));
    assert!(body(&[1, 1]).unwrap().starts_with("Subject: z"));
    assert_eq!(body(&[1, 1, 1]), Some("b"));
    assert_eq!(body(&[1, 1, 1, 1]), None);
}

#[test]
fn fields_of_parts_are_kept_as_written() {
    let skeleton = skeleton(NESTED);
    let image = skeleton.part(&[3, 2]).unwrap();
    assert_eq!(image.param("name"), Some(&b"x"[..]));
    assert_eq!(image.encoding.as_deref(), Some("base64"));
    let disposition = image.disposition.as_ref().unwrap();
    assert_eq!(
        (disposition.kind.as_str(), disposition.params[0].value.as_slice()),
        ("attachment", &b"x y.png"[..])
    );
    let Content::Message { envelope, .. } = &skeleton.part(&[3]).unwrap().content else { panic!() };
    assert_eq!(envelope.subject.as_deref(), Some(&b"inner"[..]));
    assert_eq!(skeleton.part(&[3]).unwrap().id.as_deref(), Some(&b"<m@x>"[..]));
    assert_eq!(skeleton.part(&[1]).unwrap().param("charset"), Some(&b"us-ascii"[..]));
}

#[test]
fn envelope_defaults_of_rfc3501_7_4_2() {
    let skeleton = skeleton(
        "From: A <a@x.test>\r\nReply-To:\r\nTo: b@y.test\r\nTo: c@y.test\r\nSubject: =?utf-8?q?x?=\r\n y\r\n\r\n",
    );
    let envelope = skeleton.envelope();
    assert_eq!(envelope.subject, Some(&b"=?utf-8?q?x?= y"[..]));
    assert_eq!(envelope.sender, envelope.from);
    assert_eq!(envelope.reply_to, envelope.from);
    assert_eq!(envelope.to.len(), 2);
    assert_eq!(envelope.date, None);
}

#[test]
fn header_is_returned_apart_and_cut_at_its_limit() {
    let ingested = ingest(b"A: b\r\n\r\nbody");
    assert_eq!((ingested.header.as_slice(), ingested.header_complete), (&b"A: b\r\n\r\n"[..], true));
    assert_eq!(ingested.skeleton.header_len(), 8);
    let mut builder = SkeletonBuilder::new(Limits { header: 20, ..Limits::default() });
    builder.push(b"Subject: kept\r\nTo: too@much.test\r\n\r\nbody");
    let cut = builder.finish();
    assert_eq!((cut.header.as_slice(), cut.header_complete), (&b"Subject: kept\r\n"[..], false));
    assert_eq!(cut.skeleton.root.body_range(), 36..40);
}

#[test]
fn message_without_body_or_without_anything() {
    let empty = ingest(b"");
    assert_eq!((empty.skeleton.size, empty.header.len()), (0, 0));
    let header_only = skeleton("Subject: x\r\nContent-Type: message/rfc822\r\n");
    assert_eq!((header_only.header_len(), header_only.root.body_len), (42, 0));
    assert!(matches!(header_only.root.content, Content::Message { .. }));
    assert_eq!(skeleton("\r\nbody").root.body_range(), 2..6);
}

#[test]
fn multipart_without_its_boundary_shows_its_text() {
    assert_eq!(
        tree("Content-Type: multipart/mixed; boundary=b\r\n\r\nlost\r\n"),
        "multipart/mixed 1\n text/plain \"lost\\r\\n\" 1\n"
    );
    assert_eq!(tree("Content-Type: multipart/mixed\r\n\r\nx\r\n"), "text/plain \"x\\r\\n\" 1\n");
}

#[test]
fn boundaries_are_matched_whole_and_outer_ones_end_inner_parts() {
    assert_eq!(
        tree(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; \
             boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bx\r\n--b\r\n--b\r\n\r\n\r\n--b--\r\n--b\r\n"
        ),
        "multipart/mixed 13\n multipart/mixed 3\n  text/plain \"x\\r\\n--bx\" 1\n text/plain \"\" 0\n \
         text/plain \"\" 0\n"
    );
}

#[test]
fn digest_parts_are_messages_by_default() {
    let message = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: d\r\n\r\nx\r\n--b\r\n\
                   Content-Type: text/plain\r\n\r\ny\r\n--b--\r\n";
    assert_eq!(
        tree(message),
        "multipart/digest 10\n message/rfc822 2\n  text/plain \"x\" 0\n text/plain \"y\" 0\n"
    );
}

#[test]
fn beyond_a_limit_a_part_is_opaque() {
    let deep = |levels: usize| {
        let mut message = String::new();
        for level in 0..levels {
            message.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=b{level}x\r\n\r\n--b{level}x\r\n"
            ));
        }
        message + "\r\nbottom\r\n"
    };
    let root = skeleton(&deep(1000)).root;
    let mut part = &root;
    let mut depth = 1;
    while let Content::Multipart(children) = &part.content {
        part = &children[0];
        depth += 1;
    }
    assert_eq!(depth, Limits::default().depth);
    assert_eq!(part.media_subtype, "octet-stream");

    let many = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        "--b\r\n\r\nx\r\n".repeat(3000)
    );
    let Content::Multipart(children) = skeleton(&many).root.content else { panic!() };
    assert_eq!(children.len(), Limits::default().parts - 1);

    let fat = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        format!("--b\r\nContent-Description: {}\r\n\r\nx\r\n", "d".repeat(60_000)).repeat(500)
    );
    assert!(skeleton(&fat).encode().len() < 300_000);
}

#[test]
fn encoded_message_is_not_looked_into() {
    assert_eq!(
        tree("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"),
        "application/octet-stream \"AAAA\" 0\n"
    );
}

#[test]
fn preview_comes_from_the_first_text_with_any_text() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Disposition: attachment\r\n\r\nno\r\n--b\r\n\r\n \r\n--b\r\n\
        Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        <b>Gr=FC=DFe</b> an\r\nalle\r\n--b--\r\n";
    assert_eq!(skeleton(message).preview, "Grüße an alle");
    assert_eq!(skeleton(&format!("\r\n{}", "ä ".repeat(5000))).preview.chars().count(), 199);
}

#[test]
fn thread_ids() {
    let skeleton =
        skeleton("Message-ID: <c@x>\r\nReferences: <a@x>\r\n\t<b@x>\r\nIn-Reply-To: <b@x>\r\n\r\n");
    assert_eq!(skeleton.message_id().as_deref(), Some("<c@x>"));
    assert_eq!(skeleton.ancestors(), ["<a@x>", "<b@x>"]);
}

#[test]
fn encoding_is_small() {
    let message = "From: Alice <alice@north.test>\r\nTo: bob@south.test\r\nSubject: hello\r\n\
        Date: Mon, 3 Jun 2024 10:00:00 +0000\r\nMessage-ID: <1@north.test>\r\n\r\nhi\r\n";
    assert!(skeleton(message).encode().len() < 140);
}

#[test]
fn decoding_refuses_other_versions_and_trailing_octets() {
    let mut stored = skeleton(NESTED).encode();
    stored.push(0);
    assert_eq!(Skeleton::decode(&stored), Err(DecodeError::Damaged));
    stored[0] = 9;
    assert_eq!(Skeleton::decode(&stored), Err(DecodeError::Version(9)));
    assert_eq!(Skeleton::decode(&[]), Err(DecodeError::Truncated));
}

/// Agreement with an independent parser on where the bodies are.
#[test]
fn mail_parser_sees_the_same_bodies() {
    let parsed = mail_parser::MessageParser::default().parse(NESTED).unwrap();
    let ours = skeleton(NESTED);
    let theirs: Vec<_> = parsed
        .parts
        .iter()
        .filter(|p| !p.is_multipart() && !p.is_message())
        .map(|p| (u64::from(p.offset_header), u64::from(p.offset_body), u64::from(p.offset_end)))
        .collect();
    let top: Vec<_> = [&[1][..], &[2, 1]].iter().map(|path| ours.part(path).unwrap()).collect();
    let mine: Vec<_> = top.iter().map(|p| (p.header_start, p.body_start(), p.body_range().end)).collect();
    assert_eq!(mine, theirs[..2]);
}

/// Messages made of what matters to the structure, in any order.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("-"),
        Just("--"),
        Just("--a"),
        Just("--a\r\n"),
        Just("\r\n--a--\r\n"),
        Just("--b\r\n"),
        Just("--b--\n"),
        Just("text "),
        Just("Content-Type: multipart/mixed; boundary=a\r\n"),
        Just("Content-Type: multipart/digest; boundary=\"b\"\n\n"),
        Just("Content-Type: message/rfc822\r\n\r\n"),
        Just("Content-Type: text/html; charset=utf-8\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("Content-Disposition: attachment;\r\n filename=x\r\n"),
        Just("Subject: s\r\n"),
        Just("From: a@b.test (c)\r\n"),
        Just(": x\r\n"),
        Just("\u{e4}\0"),
    ];
    let made = prop::collection::vec(piece, 0..60).prop_map(|p| p.concat().into_bytes());
    prop_oneof![4 => made, 1 => prop::collection::vec(any::<u8>(), 0..600)]
}

fn check_ranges(part: &Part, size: u64) {
    assert!(part.body_range().end <= size);
    assert!(part.lines <= part.body_len);
    match &part.content {
        Content::Leaf => {
            assert_ne!(part.media_type, "multipart");
            assert_ne!((part.media_type.as_str(), part.media_subtype.as_str()), ("message", "rfc822"));
        }
        Content::Multipart(children) => {
            assert!(!children.is_empty());
            children.iter().for_each(|child| check_ranges(child, size));
        }
        Content::Message { root, .. } => check_ranges(root, size),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn cuts_do_not_matter(message in messages(), cuts in prop::collection::vec(0_usize..600, 0..12)) {
        let mut sorted: Vec<usize> = cuts.into_iter().map(|c| c.min(message.len())).collect();
        sorted.sort_unstable();
        let mut builder = SkeletonBuilder::default();
        let mut from = 0;
        for cut in sorted {
            builder.push(&message[from..cut]);
            from = cut;
        }
        builder.push(&message[from..]);
        prop_assert_eq!(builder.finish(), ingest(&message));
    }

    #[test]
    fn octet_by_octet_does_not_matter(message in messages()) {
        let mut builder = SkeletonBuilder::default();
        message.iter().for_each(|b| builder.push(&[*b]));
        prop_assert_eq!(builder.finish(), ingest(&message));
    }

    #[test]
    fn ranges_are_inside_and_encoding_round_trips(message in messages()) {
        let ingested = ingest(&message);
        let skeleton = ingested.skeleton;
        check_ranges(&skeleton.root, message.len() as u64);
        prop_assert_eq!(skeleton.size, message.len() as u64);
        prop_assert_eq!(skeleton.lines, message.iter().filter(|b| **b == b'\n').count() as u64);
        prop_assert_eq!(&message[..skeleton.header_len() as usize], ingested.header.as_slice());
        prop_assert_eq!(Skeleton::decode(&skeleton.encode()), Ok(skeleton));
    }

    #[test]
    fn damaged_encodings_never_panic(message in messages(), flips in prop::collection::vec((0_usize..400, any::<u8>()), 1..6)) {
        let mut stored = ingest(&message).skeleton.encode();
        for (at, value) in flips {
            let at = at % stored.len();
            stored[at] = value;
        }
        if let Ok(skeleton) = Skeleton::decode(&stored) {
            let _ = skeleton.envelope();
            skeleton.leaves().iter().for_each(|p| assert!(p.body_range().end <= skeleton.size));
        }
    }

    #[test]
    fn readers_of_arbitrary_octets_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let covered: usize = crate::header::fields(&bytes).map(|f| f.raw.len()).sum();
        prop_assert!(covered <= bytes.len());
        let _ = crate::header::decode(&bytes);
        let _ = crate::header::address_list(&bytes);
        let _ = crate::header::parse_date(&bytes);
        let _ = crate::header::message_ids(&bytes);
        let _ = crate::header::parse_media_type(&bytes, 8);
        let _ = crate::text::preview(&String::from_utf8_lossy(&bytes), true, 50);
        let _ = crate::header_block::decompress_header(&bytes);
    }

    #[test]
    fn addresses_survive_display(local in "[ -~]{1,40}", domain in "[a-z]{1,10}(\\.[a-z]{1,10}){0,2}") {
        if let Ok(address) = crate::Address::new(&local, crate::Domain::parse(&domain).unwrap()) {
            prop_assert_eq!(crate::Address::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn base64_and_quoted_printable_stay_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..200), limit in 0_usize..100) {
        prop_assert!(crate::text::decode_base64(&bytes, limit).len() <= limit);
        prop_assert!(crate::text::decode_quoted_printable(&bytes, limit).len() <= limit);
    }
}
