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
    !(section.part.is_empty() && section.text == SectionText::Whole) && !is_message_header(section)
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
