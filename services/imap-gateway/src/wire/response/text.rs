//! The terminals of responses: numbers, strings, names, sets.

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

use super::super::grammar::is_astring_char;
use super::super::mutf7;

/// Longer strings become literals: clients with fixed line buffers stay alive.
const LONGEST_QUOTED: usize = 1000;

/// A decimal number.
pub(super) fn number(out: &mut BytesMut, number: impl itoa::Integer) {
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `string`: quoted where quotes can hold it, else a literal. NUL, which neither can hold, is left out.
pub(super) fn string(out: &mut BytesMut, octets: &[u8]) {
    let quotable = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t');
    if octets.len() <= LONGEST_QUOTED && octets.iter().all(quotable) {
        return quoted(out, octets);
    }
    if memchr::memchr(0, octets).is_some() {
        let clean: Vec<u8> = octets.iter().copied().filter(|&octet| octet != 0).collect();
        return string(out, &clean);
    }
    literal_header(out, octets.len() as u64);
    out.put_slice(octets);
}

/// `nstring`
pub(super) fn nstring(out: &mut BytesMut, octets: Option<&[u8]>) {
    match octets {
        Some(octets) => string(out, octets),
        None => out.put_slice(b"NIL"),
    }
}

/// `astring`
pub(super) fn astring(out: &mut BytesMut, octets: &[u8]) {
    let is_atom = octets.iter().all(|&octet| is_astring_char(octet));
    if is_atom && !octets.is_empty() && !octets.eq_ignore_ascii_case(b"NIL") {
        out.put_slice(octets);
    } else {
        string(out, octets);
    }
}

/// `mailbox`, in modified UTF-7.
pub(super) fn mailbox(out: &mut BytesMut, name: &str) {
    astring(out, mutf7::encode(name).as_bytes());
}

/// `"{" size "}" CRLF`
pub(super) fn literal_header(out: &mut BytesMut, size: u64) {
    out.put_u8(b'{');
    number(out, size);
    out.put_slice(b"}\r\n");
}

fn quoted(out: &mut BytesMut, octets: &[u8]) {
    out.put_u8(b'"');
    let mut rest = octets;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.put_slice(&rest[..at]);
        out.put_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    out.put_u8(b'"');
}

/// `sequence-set` from ascending ranges.
pub(super) fn set(out: &mut BytesMut, ranges: &[RangeInclusive<u32>]) {
    for (index, range) in ranges.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        number(out, *range.start());
        if range.start() != range.end() {
            out.put_u8(b':');
            number(out, *range.end());
        }
    }
}

/// `"(" item *(SP item) ")"`
pub(super) fn list<T>(
    out: &mut BytesMut,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut BytesMut, T),
) {
    out.put_u8(b'(');
    spaced(out, items, &mut item);
    out.put_u8(b')');
}

/// `item *(SP item)`
pub(super) fn spaced<T>(
    out: &mut BytesMut,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut BytesMut, T),
) {
    for (index, one) in items.into_iter().enumerate() {
        if index > 0 {
            out.put_u8(b' ');
        }
        item(out, one);
    }
}

/// `text = 1*TEXT-CHAR`: what cannot stand there becomes `?`, so that no text, wherever it comes from, starts a
/// response of its own.
pub(super) fn human(out: &mut BytesMut, text: &str) {
    out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
}
