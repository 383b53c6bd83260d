//! Encoded words (RFC 2047) for people and for SEARCH.

use crate::text;

/// A field's value as Unicode: unfolded, encoded words decoded, raw 8-bit octets taken as UTF-8 or else Latin.
#[must_use]
pub fn decode(value: &[u8]) -> String {
    let bytes = super::unfold(value);
    let mut out = String::with_capacity(bytes.len());
    let mut pending = Pending::default();
    let mut rest = bytes.as_slice();
    while let Some(start) = memchr::memmem::find(rest, b"=?") {
        let Some(word) = Word::parse(&rest[start..]) else {
            pending.flush(&mut out);
            out.push_str(&text::decode_charset(None, &rest[..start + 2]));
            rest = &rest[start + 2..];
            continue;
        };
        // White space between two encoded words is not shown (RFC 2047 6.2).
        if !pending.open || !rest[..start].trim_ascii().is_empty() {
            pending.flush(&mut out);
            out.push_str(&text::decode_charset(None, &rest[..start]));
        }
        pending.push(&word, &mut out);
        rest = &rest[start + word.length..];
    }
    pending.flush(&mut out);
    out.push_str(&text::decode_charset(None, rest));
    out
}

struct Word<'a> {
    charset: &'a [u8],
    bytes: Vec<u8>,
    length: usize,
}

impl<'a> Word<'a> {
    /// `"=?" charset "?" encoding "?" encoded-text "?="`; a language suffix of the charset is dropped (RFC 2231 5).
    fn parse(input: &'a [u8]) -> Option<Self> {
        let body = &input[2..];
        let first = memchr::memchr(b'?', body)?;
        let charset = body[..first].split(|b| *b == b'*').next()?;
        let encoding = *body.get(first + 1)?;
        if charset.is_empty() || body.get(first + 2) != Some(&b'?') {
            return None;
        }
        let encoded = &body[first + 3..];
        let end = memchr::memmem::find(encoded, b"?=")?;
        let content = &encoded[..end];
        if charset.iter().any(|b| !b.is_ascii_graphic()) {
            return None;
        }
        let bytes = match encoding {
            b'Q' | b'q' => decode_q(content),
            b'B' | b'b' => text::decode_base64(content, usize::MAX),
            _ => return None,
        };
        Some(Self { charset, bytes, length: 2 + first + 3 + end + 2 })
    }
}

/// Octets of adjacent words of one charset: a character may be cut between them.
#[derive(Default)]
struct Pending {
    open: bool,
    charset: Vec<u8>,
    bytes: Vec<u8>,
}

impl Pending {
    fn push(&mut self, word: &Word<'_>, out: &mut String) {
        if self.open && !self.charset.eq_ignore_ascii_case(word.charset) {
            self.flush(out);
        }
        self.open = true;
        self.charset = word.charset.to_vec();
        self.bytes.extend_from_slice(&word.bytes);
    }

    fn flush(&mut self, out: &mut String) {
        if self.open {
            out.push_str(&text::decode_charset(Some(&self.charset), &self.bytes));
            self.bytes.clear();
            self.open = false;
        }
    }
}

/// The `Q` encoding of RFC 2047 4.2.
fn decode_q(content: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = content.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
    text::decode_quoted_printable(&spaced, usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn encoded_words_are_decoded_and_joined() {
        for (raw, expected) in [
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?= c", "a b c"),
            ("x =?utf-8?B?w6TDtg==?=\r\n =?utf-8*de?q?=C3=BC?= y", "x äöü y"),
            ("=?utf-8?Q?=C3?= =?UTF-8?Q?=A4?=", "ä"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            ("=?utf-8?X?a?= =?broken", "=?utf-8?X?a?= =?broken"),
            ("plain", "plain"),
        ] {
            assert_eq!(decode(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn raw_eight_bit_is_utf8_or_latin() {
        assert_eq!(decode("grün".as_bytes()), "grün");
        assert_eq!(decode(b"gr\xfcn"), "grün");
    }
}
