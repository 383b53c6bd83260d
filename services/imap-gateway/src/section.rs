//! From a section a client asks for to octets of the message. Pure: the octets are read elsewhere.

use std::ops::Range;

use bytes::Bytes;
use staffetta_message::header;
use staffetta_message::skeleton::{self, Skeleton};

use crate::wire::fetch::{Partial, Section, SectionText};

/// The octets of the message that a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// The section is this range; a partial request narrows it with [`narrow`].
    Octets(Range<u64>),
    /// The section is [`header_fields`] of the header block in this range; a partial request cuts the result.
    HeaderFields(Range<u64>),
    /// The message has no such section: the response says `NIL`.
    Missing,
}

/// Whether a section can be answered from the message's own header block alone: no skeleton, no body.
pub fn is_message_header(section: &Section) -> bool {
    section.part.is_empty()
        && !matches!(section.text, SectionText::Whole | SectionText::Text | SectionText::Mime)
}

/// Whether finding a section takes the skeleton; `BODY[]` is the whole message whatever it holds.
pub fn needs_skeleton(section: &Section) -> bool {
    let is_whole = section.part.is_empty() && section.text == SectionText::Whole;
    !(is_whole || is_message_header(section))
}

/// Where a section's octets are.
pub fn locate(skeleton: &Skeleton, section: &Section) -> Located {
    let (text, is_subset) = match section.text {
        SectionText::Whole => (skeleton::SectionText::Whole, false),
        SectionText::Header => (skeleton::SectionText::Header, false),
        SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => {
            (skeleton::SectionText::Header, true)
        }
        SectionText::Text => (skeleton::SectionText::Text, false),
        SectionText::Mime => (skeleton::SectionText::Mime, false),
    };
    let path: Vec<u32> = section.part.iter().map(|number| number.get()).collect();
    match skeleton.section_range(&path, text) {
        Some(range) if is_subset => Located::HeaderFields(range),
        Some(range) => Located::Octets(range),
        None => Located::Missing,
    }
}

/// The part of `range` that `<offset.length>` asks for; empty beyond the end.
pub fn narrow(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let start = range.start.saturating_add(u64::from(partial.offset)).min(range.end);
    start..start.saturating_add(u64::from(partial.length.get())).min(range.end)
}

/// [`narrow`] for octets at hand.
pub fn narrow_bytes(octets: &Bytes, partial: Option<Partial>) -> Bytes {
    let range = narrow(0..octets.len() as u64, partial);
    let index = |offset: u64| usize::try_from(offset).unwrap_or(octets.len());
    octets.slice(index(range.start)..index(range.end))
}

/// What `section` wants of a header block: all of it, or `HEADER.FIELDS` / `HEADER.FIELDS.NOT` of it in the order of the
/// block. The closing empty line stays if there is one (RFC 3501 6.4.5).
pub fn header_fields(block: &Bytes, text: &SectionText) -> Bytes {
    let (names, wanted) = match text {
        SectionText::HeaderFields(names) => (names, true),
        SectionText::HeaderFieldsNot(names) => (names, false),
        _ => return block.clone(),
    };
    let is_named = |name: &[u8]| names.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    let mut subset = Vec::new();
    let mut read = 0;
    for field in header::fields(block) {
        read += field.raw.len();
        if is_named(field.name) == wanted {
            subset.extend_from_slice(field.raw);
        }
    }
    subset.extend_from_slice(&block[read..]);
    Bytes::from(subset)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use staffetta_message::skeleton::{Limits, SkeletonBuilder};

    use super::*;

    const MESSAGE: &[u8] = b"From: a@x.test\r\nX-Long: one\r\n two\r\nfrom: b@x.test\r\n\
Content-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\nX-Part: 1\r\n\r\nfirst\r\n\
--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nTo: c@x.test\r\n\r\ninner body\r\n\
--b--\r\n";

    fn skeleton() -> Skeleton {
        let mut builder = SkeletonBuilder::new(Limits::default());
        builder.push(MESSAGE);
        builder.finish().skeleton
    }

    fn section(part: &[u32], text: SectionText) -> Section {
        Section { part: part.iter().map(|&number| NonZeroU32::new(number).unwrap()).collect(), text }
    }

    fn names(names: &[&'static str]) -> Vec<Bytes> {
        names.iter().map(|name| Bytes::from_static(name.as_bytes())).collect()
    }

    /// The section as FETCH returns it.
    fn read(part: &[u32], text: SectionText) -> Option<String> {
        let octets =
            |range: Range<u64>| Bytes::from(MESSAGE[range.start as usize..range.end as usize].to_vec());
        let octets = match locate(&skeleton(), &section(part, text.clone())) {
            Located::Octets(range) => octets(range),
            Located::HeaderFields(range) => header_fields(&octets(range), &text),
            Located::Missing => return None,
        };
        Some(String::from_utf8(octets.to_vec()).unwrap())
    }

    #[test]
    fn sections_of_message_and_parts() {
        assert_eq!(read(&[], SectionText::Whole).as_deref(), std::str::from_utf8(MESSAGE).ok());
        assert_eq!(read(&[1], SectionText::Whole).as_deref(), Some("first"));
        assert_eq!(read(&[1], SectionText::Mime).as_deref(), Some("X-Part: 1\r\n\r\n"));
        assert_eq!(
            read(&[2], SectionText::Header).as_deref(),
            Some("Subject: inner\r\nTo: c@x.test\r\n\r\n")
        );
        assert_eq!(read(&[2], SectionText::Text).as_deref(), Some("inner body"));
        assert_eq!(read(&[2, 1], SectionText::Whole).as_deref(), Some("inner body"));
        assert_eq!(
            read(&[2], SectionText::HeaderFields(names(&["TO"]))).as_deref(),
            Some("To: c@x.test\r\n\r\n")
        );
    }

    #[test]
    fn sections_that_are_not_there() {
        assert_eq!(read(&[3], SectionText::Whole), None);
        assert_eq!(read(&[1], SectionText::Header), None);
        assert_eq!(read(&[1], SectionText::HeaderFields(names(&["To"]))), None);
        assert_eq!(read(&[1, 1], SectionText::Whole), None);
        assert_eq!(read(&[], SectionText::Mime), None);
    }

    #[test]
    fn header_subsets_keep_folding_order_repeats_and_the_empty_line() {
        let fields = |list: &[&'static str]| read(&[], SectionText::HeaderFields(names(list))).unwrap();
        let others = |list: &[&'static str]| read(&[], SectionText::HeaderFieldsNot(names(list))).unwrap();
        assert_eq!(
            fields(&["X-LONG", "From"]),
            "From: a@x.test\r\nX-Long: one\r\n two\r\nfrom: b@x.test\r\n\r\n"
        );
        assert_eq!(fields(&["Subject"]), "\r\n");
        assert_eq!(others(&["from", "content-type"]), "X-Long: one\r\n two\r\n\r\n");
        assert_eq!(others(&["none"]), read(&[], SectionText::Header).unwrap());
    }

    #[test]
    fn no_empty_line_where_the_message_has_none() {
        let block = Bytes::from_static(b"A: 1\r\nB: 2\r\n");
        assert_eq!(header_fields(&block, &SectionText::HeaderFields(names(&["b"]))), "B: 2\r\n");
        assert_eq!(header_fields(&block, &SectionText::HeaderFields(names(&["c"]))), "");
    }

    #[test]
    fn partial_cuts_and_is_empty_beyond_the_end() {
        let partial = |offset, length| Some(Partial { offset, length: NonZeroU32::new(length).unwrap() });
        assert_eq!(narrow(10..20, None), 10..20);
        assert_eq!(narrow(10..20, partial(3, 4)), 13..17);
        assert_eq!(narrow(10..20, partial(3, u32::MAX)), 13..20);
        assert_eq!(narrow(10..20, partial(10, 1)), 20..20);
        assert_eq!(narrow(10..20, partial(u32::MAX, u32::MAX)), 20..20);
        assert_eq!(narrow_bytes(&Bytes::from_static(b"abcdef"), partial(2, 3)), "cde");
        assert_eq!(narrow_bytes(&Bytes::from_static(b"abc"), partial(9, 3)), "");
    }

    #[test]
    fn what_a_section_takes() {
        let takes = |part: &[u32], text| {
            let section = section(part, text);
            (is_message_header(&section), needs_skeleton(&section))
        };
        assert_eq!(takes(&[], SectionText::Whole), (false, false));
        assert_eq!(takes(&[], SectionText::Header), (true, false));
        assert_eq!(takes(&[], SectionText::HeaderFields(names(&["a"]))), (true, false));
        assert_eq!(takes(&[], SectionText::Text), (false, true));
        assert_eq!(takes(&[1], SectionText::Whole), (false, true));
        assert_eq!(takes(&[1], SectionText::Header), (false, true));
    }
}
