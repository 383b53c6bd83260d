//! Structured MIME fields: media type, disposition, languages (RFC 2045 5.1, RFC 2183, RFC 3282).

use crate::skeleton::{Disposition, Param};

/// Longest token (type, subtype, attribute) that is taken.
const MAX_TOKEN: usize = 128;
/// Longest parameter value that is kept.
const MAX_VALUE: usize = 4096;
/// Most language tags of one field.
const MAX_LANGUAGES: usize = 16;

/// A parsed `Content-Type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// Type, lower case.
    pub kind: String,
    /// Subtype, lower case.
    pub subtype: String,
    /// Parameters in the order written.
    pub params: Vec<Param>,
}

/// Parses an unfolded `Content-Type` value; `None` if it is malformed (RFC 2045 5.2: then `text/plain`).
#[must_use]
pub fn parse_media_type(value: &[u8], max_params: usize) -> Option<MediaType> {
    let mut cursor = Cursor { rest: value };
    let kind = cursor.token()?;
    cursor.skip_blank();
    cursor.expect(b'/')?;
    let subtype = cursor.token()?;
    Some(MediaType { kind, subtype, params: cursor.params(max_params) })
}

/// Parses an unfolded `Content-Disposition` value.
#[must_use]
pub fn parse_disposition(value: &[u8], max_params: usize) -> Option<Disposition> {
    let mut cursor = Cursor { rest: value };
    let kind = cursor.token()?;
    Some(Disposition { kind, params: cursor.params(max_params) })
}

/// The tags of an unfolded `Content-Language` value.
#[must_use]
pub fn parse_languages(value: &[u8]) -> Vec<String> {
    let mut cursor = Cursor { rest: value };
    let mut tags = Vec::new();
    while tags.len() < MAX_LANGUAGES {
        tags.extend(cursor.token());
        match memchr::memchr(b',', cursor.rest) {
            Some(at) => cursor.rest = &cursor.rest[at + 1..],
            None => break,
        }
    }
    tags
}

/// The first token of an unfolded value, lower case (`Content-Transfer-Encoding`).
pub(crate) fn parse_token(value: &[u8]) -> Option<String> {
    Cursor { rest: value }.token()
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// Skips white space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.first() != Some(&b'(') {
                return;
            }
            let mut depth = 0_usize;
            let mut escaped = false;
            let end = self.rest.iter().position(|&b| {
                match b {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            self.rest = end.map_or(&[], |at| &self.rest[at + 1..]);
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// `token` of RFC 2045 5.1, lower-cased.
    fn token(&mut self) -> Option<String> {
        self.skip_blank();
        let end = self.rest.iter().position(|b| !is_token(*b)).unwrap_or(self.rest.len());
        if end == 0 || end > MAX_TOKEN {
            return None;
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(String::from_utf8_lossy(token).to_ascii_lowercase())
    }

    /// `*(";" parameter)`; what is no parameter is skipped up to the next semicolon.
    fn params(&mut self, max: usize) -> Vec<Param> {
        let mut params = Vec::new();
        while params.len() < max {
            let Some(at) = memchr::memchr(b';', self.rest) else { break };
            self.rest = &self.rest[at + 1..];
            let Some(name) = self.token() else { continue };
            self.skip_blank();
            if self.expect(b'=').is_none() {
                continue;
            }
            let mut value = self.value();
            value.truncate(MAX_VALUE);
            params.push(Param { name, value });
        }
        params
    }

    fn value(&mut self) -> Vec<u8> {
        self.skip_blank();
        if self.rest.first() == Some(&b'"') { self.quoted() } else { self.bare() }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut at = 1;
        while let Some(&b) = self.rest.get(at) {
            at += 1;
            match b {
                b'"' => break,
                b'\\' => {
                    value.extend(self.rest.get(at));
                    at += 1;
                }
                _ => value.push(b),
            }
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        value
    }

    /// An unquoted value runs to the semicolon or a comment, so that `name=a b.pdf` keeps its space.
    fn bare(&mut self) -> Vec<u8> {
        let end = memchr::memchr(b';', self.rest).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        let comment = memchr::memmem::find(value, b" (").unwrap_or(value.len());
        value[..comment].trim_ascii().to_vec()
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> Option<String> {
        let media = parse_media_type(value.as_bytes(), 8)?;
        let params: Vec<_> = media
            .params
            .iter()
            .map(|p| format!("{}={}", p.name, String::from_utf8_lossy(&p.value)))
            .collect();
        Some(format!("{}/{} {}", media.kind, media.subtype, params.join("|")))
    }

    #[test]
    fn media_types_with_comments_quotes_and_order() {
        for (value, expected) in [
            ("text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii"),
            ("(c) Text / HTML ;Charset=\"utf-8\";", "text/html charset=utf-8"),
            ("multipart/mixed; boundary=\"a;\\\"b\"; x=1", "multipart/mixed boundary=a;\"b|x=1"),
            ("application/pdf; name=a b(1).pdf ; ; junk; q=", "application/pdf name=a b(1).pdf|q="),
        ] {
            assert_eq!(show(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn malformed_media_types_are_none() {
        for value in ["", "text", "text/", "/plain", "te xt/plain", "täxt/plain"] {
            assert_eq!(show(value), None, "{value}");
        }
    }

    #[test]
    fn parameters_are_bounded() {
        let many = format!("text/plain{}", "; a=b".repeat(100));
        assert_eq!(parse_media_type(many.as_bytes(), 8).unwrap().params.len(), 8);
    }

    #[test]
    fn languages_are_listed_in_order() {
        assert_eq!(parse_languages(b"mi, EN (English)"), ["mi", "en"]);
    }
}
