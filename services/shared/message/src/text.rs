//! Decoding of text for SEARCH and previews: transfer encoding, charset, case folding.

mod preview;

pub(crate) use preview::preview;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, WINDOWS_1252};

use crate::skeleton::Part;

/// Base64 as found in the wild: padding may be missing or wrong.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A search term, folded once: `is_in` is IMAP's case-insensitive substring match (RFC 3501 6.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(String);

/// The text of a part for SEARCH: transfer encoding and charset undone; at most `limit` octets are decoded.
///
/// A part that is not `text/*` gives an empty text.
#[must_use]
pub fn decode_part(part: &Part, body: &[u8], limit: usize) -> String {
    if !part.is_text() {
        return String::new();
    }
    let bytes = decode_transfer(part.encoding.as_deref(), body, limit);
    decode_charset(part.param("charset"), &bytes)
}

/// Undoes a `Content-Transfer-Encoding` (lower case); never gives more than `limit` octets.
#[must_use]
pub fn decode_transfer(encoding: Option<&str>, body: &[u8], limit: usize) -> Vec<u8> {
    match encoding {
        Some("quoted-printable") => decode_quoted_printable(body, limit),
        Some("base64") => decode_base64(body, limit),
        _ => body[..body.len().min(limit)].to_vec(),
    }
}

/// Quoted-printable (RFC 2045 6.7); a malformed escape stays as written.
#[must_use]
pub fn decode_quoted_printable(body: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().min(limit));
    let mut at = 0;
    while at < body.len() && out.len() < limit {
        if body[at] != b'=' {
            out.push(body[at]);
            at += 1;
            continue;
        }
        let rest = &body[at + 1..];
        if let Some(skip) = soft_break(rest) {
            at += 1 + skip;
        } else if let (Some(high), Some(low)) = (hex(rest.first()), hex(rest.get(1))) {
            out.push(high << 4 | low);
            at += 3;
        } else {
            out.push(b'=');
            at += 1;
        }
    }
    out
}

/// Base64; octets outside the alphabet are skipped, decoding ends at the padding.
#[must_use]
pub fn decode_base64(body: &[u8], limit: usize) -> Vec<u8> {
    let needed = limit.saturating_mul(4).saturating_add(8) / 3;
    let mut clean: Vec<u8> = body
        .iter()
        .copied()
        .take_while(|b| *b != b'=')
        .filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        .take(needed)
        .collect();
    if clean.len() % 4 == 1 {
        clean.pop();
    }
    let mut out = LENIENT.decode(&clean).unwrap_or_default();
    out.truncate(limit);
    out
}

/// Octets as Unicode. Without a known charset, and for US-ASCII, valid UTF-8 is taken as such, else Windows-1252.
#[must_use]
pub fn decode_charset(charset: Option<&[u8]>, bytes: &[u8]) -> String {
    let encoding = charset.and_then(Encoding::for_label).filter(|e| *e != WINDOWS_1252);
    if let Some(encoding) = encoding {
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    let named =
        charset.is_some_and(|c| !c.eq_ignore_ascii_case(b"us-ascii") && Encoding::for_label(c).is_some());
    match std::str::from_utf8(bytes) {
        Ok(text) if !named => text.to_owned(),
        _ => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

// === impl Needle ===

impl Needle {
    /// Folds `text` once.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(fold(text))
    }

    /// Whether `haystack` contains the needle in any case.
    #[must_use]
    pub fn is_in(&self, haystack: &str) -> bool {
        self.0.is_empty() || memchr::memmem::find(fold(haystack).as_bytes(), self.0.as_bytes()).is_some()
    }
}

/// Case folding: ASCII of i;ascii-casemap, beyond ASCII the lower case of the upper case (`ſ`, `ς` and `σ` meet).
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Length of a soft line break behind `=`: trailing white space and a line end.
fn soft_break(rest: &[u8]) -> Option<usize> {
    let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match &rest[blank..] {
        [b'\r', b'\n', ..] => Some(blank + 2),
        [b'\n', ..] => Some(blank + 1),
        [] => Some(blank),
        _ => None,
    }
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_soft_breaks_and_bad_escapes() {
        let decoded = decode_quoted_printable(b"a=3Db=\r\nc= \t\r\n=e4=ZZ=", 100);
        assert_eq!(decoded, b"a=bc\xe4=ZZ");
        assert_eq!(decode_quoted_printable(b"abcdef", 3), b"abc");
    }

    #[test]
    fn base64_is_lenient_and_bounded() {
        assert_eq!(decode_base64(b"aGVs\r\nbG8g!d29ybGQ", 100), b"hello world");
        assert_eq!(decode_base64(b"aGVsbG8gd29ybGQ=", 5), b"hello");
        assert_eq!(decode_base64(b"aGVsbG8gd29ybGQ=", 0), b"");
        assert_eq!(decode_base64(b"a", 5), b"");
    }

    #[test]
    fn charsets_known_unknown_and_wrong() {
        assert_eq!(decode_charset(Some(b"iso-8859-1"), b"\xe4"), "ä");
        assert_eq!(decode_charset(Some(b"ISO-2022-JP"), b"\x1b$B$\"\x1b(B"), "あ");
        assert_eq!(decode_charset(Some(b"us-ascii"), "ä".as_bytes()), "ä");
        assert_eq!(decode_charset(Some(b"no-such"), "ä".as_bytes()), "ä");
        assert_eq!(decode_charset(Some(b"utf-8"), b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn needle_matches_in_any_case() {
        assert!(Needle::new("GRÜSSE").is_in("viele grüße"));
        assert!(Needle::new("hello").is_in("Say HELLO"));
        assert!(Needle::new("").is_in(""));
        assert!(!Needle::new("hello").is_in("help"));
    }
}
