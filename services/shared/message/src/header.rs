//! Header fields: iteration over a raw block, and what their values mean.
//!
//! Everything here is tolerant: a line that is no field is yielded with an empty name, so that a copy of
//! all fields is a copy of the block.

mod address_list;
mod date;
mod encoded_word;
mod mime;

pub use address_list::{ListedAddress, address_list};
pub use date::parse_date;
pub use encoded_word::decode;
pub(crate) use mime::parse_token;
pub use mime::{MediaType, parse_disposition, parse_languages, parse_media_type};

use crate::address::{Address, Domain};

/// Longest message id that is looked at (RFC 5322 2.1.1: a line).
const MAX_MESSAGE_ID: usize = 998;
/// Most message ids taken from one field.
const MAX_MESSAGE_IDS: usize = 256;

/// One header field as it stands in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// All octets of the field, folding and final line end included.
    pub raw: &'a [u8],
    /// The name, without white space; empty for a line that is no field.
    pub name: &'a [u8],
    /// What follows the colon, folding and line end included.
    pub value: &'a [u8],
}

/// Iterator over the fields of a header block; see [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// Why the authors of a message cannot be told from its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FromError {
    /// There is no `From` field, or it names nobody.
    #[error("the message has no From address")]
    Missing,
    /// There is more than one `From` field (RFC 5322 3.6 allows one).
    #[error("the message has more than one From field")]
    Repeated,
    /// A `From` entry is not an address.
    #[error("the From field is malformed")]
    Malformed,
}

/// The fields of `block`, up to the empty line or the end.
#[must_use]
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { rest: block }
}

/// The value of the first field named `name`, unfolded.
#[must_use]
pub fn first(block: &[u8], name: &str) -> Option<Vec<u8>> {
    fields(block).find(|f| f.is(name)).map(|f| unfold(f.value))
}

/// The value without folding, NUL and surrounding white space; encoded words stay as they are.
#[must_use]
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let kept: Vec<u8> = value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n' | 0)).collect();
    kept.trim_ascii().to_vec()
}

/// The message ids (`<left@right>`, brackets included) in a `Message-ID`, `In-Reply-To` or `References` value.
#[must_use]
pub fn message_ids(value: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while ids.len() < MAX_MESSAGE_IDS {
        let Some(open) = memchr::memchr(b'<', rest) else { break };
        let Some(length) = memchr::memchr(b'>', &rest[open..]) else { break };
        let id = &rest[open..=open + length];
        rest = &rest[open + length + 1..];
        let clean: Vec<u8> = id.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        if clean.len() > 2 && clean.len() <= MAX_MESSAGE_ID {
            ids.push(String::from_utf8_lossy(&clean).into_owned());
        }
    }
    ids
}

/// The addresses of the `From` field, for checking that the author belongs to the account.
///
/// # Errors
/// Anything that could make two readers see different authors is an error, see [`FromError`].
pub fn header_from_addresses(block: &[u8]) -> Result<Vec<Address>, FromError> {
    let mut found = fields(block).filter(|f| f.is("from"));
    let field = found.next().ok_or(FromError::Missing)?;
    if found.next().is_some() {
        return Err(FromError::Repeated);
    }
    let mut addresses = Vec::new();
    for entry in address_list(field.value) {
        if entry.is_group_marker() {
            continue;
        }
        addresses.push(entry.to_address().ok_or(FromError::Malformed)?);
    }
    if addresses.is_empty() { Err(FromError::Missing) } else { Ok(addresses) }
}

// === impl Field ===

impl Field<'_> {
    /// Whether the field's name is `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value without folding and surrounding white space, encoded words decoded.
    #[must_use]
    pub fn decoded(&self) -> String {
        decode(self.value)
    }
}

// === impl Fields ===

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let first_line = line_len(self.rest);
        if matches!(&self.rest[..first_line], b"" | b"\n" | b"\r\n") {
            self.rest = &[];
            return None;
        }
        let mut len = first_line;
        while matches!(self.rest.get(len), Some(b' ' | b'\t')) {
            len += line_len(&self.rest[len..]);
        }
        let (raw, rest) = self.rest.split_at(len);
        self.rest = rest;
        let colon = memchr::memchr(b':', &raw[..first_line]);
        let name = colon.map_or(&[][..], |at| raw[..at].trim_ascii_end());
        if name.is_empty() || name.iter().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
            return Some(Field { raw, name: &[], value: raw });
        }
        Some(Field { raw, name, value: &raw[colon.map_or(0, |at| at + 1)..] })
    }
}

/// Length of the first line, its line feed included.
fn line_len(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

// === impl ListedAddress ===

impl ListedAddress {
    /// The entry as an address of RFC 5321, if it is one.
    #[must_use]
    pub fn to_address(&self) -> Option<Address> {
        let local = std::str::from_utf8(self.mailbox.as_deref()?).ok()?;
        let host = std::str::from_utf8(self.host.as_deref()?).ok()?;
        Address::new(local, Domain::parse(host).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cover_the_block_and_end_at_the_empty_line() {
        let block = b"Subject: a\r\n b\r\nX-Odd :c\r\nno field\r\nTo:\r\n\r\nBody: x\r\n";
        let all: Vec<_> = fields(block).collect();
        let names: Vec<_> = all.iter().map(|f| f.name).collect();
        assert_eq!(names, [&b"Subject"[..], b"X-Odd", b"", b"To"]);
        assert_eq!(all[0].value, b" a\r\n b\r\n");
        assert_eq!(all.iter().map(|f| f.raw.len()).sum::<usize>(), block.len() - b"\r\nBody: x\r\n".len());
        assert_eq!(first(block, "SUBJECT").unwrap(), b"a b");
    }

    #[test]
    fn message_ids_are_taken_out_of_comments_and_folding() {
        assert_eq!(message_ids(b"x <a@b> (c)\r\n <d\r\n @e> <> <f"), ["<a@b>", "<d@e>"]);
    }

    #[test]
    fn from_addresses_are_strict() {
        let from = |block: &[u8]| {
            header_from_addresses(block).map(|l| l.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(from(b"From: \"A, B\" <a@X.test>, c@y.test (C)\r\n").unwrap(), ["a@x.test", "c@y.test"]);
        assert_eq!(from(b"To: a@b\r\n"), Err(FromError::Missing));
        assert_eq!(from(b"From:\r\n"), Err(FromError::Missing));
        assert_eq!(from(b"From: a@x.test\r\nfrom: b@x.test\r\n"), Err(FromError::Repeated));
        assert_eq!(from(b"From: a@x.test, nobody\r\n"), Err(FromError::Malformed));
        assert_eq!(from(b"From: a@x.test b@y.test\r\n"), Err(FromError::Malformed));
        assert_eq!(from(b"From: <a@x.test> <b@y.test>\r\n"), Err(FromError::Malformed));
        assert_eq!(from(b"From: a@x.test <b@y.test>\r\n").unwrap(), ["b@y.test"]);
    }
}
