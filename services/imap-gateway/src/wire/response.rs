//! Responses, written straight into the connection's buffer (RFC 3501 section 7).
//!
//! Every function writes one whole response, except [`Writer::fetch`], whose pieces come one by one so that a
//! body can stream in between.

mod body_structure;
mod code;
mod envelope;
mod fetch;
mod mailbox;
mod text;

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

pub use code::Code;
pub use fetch::FetchWriter;
pub use mailbox::{ListAttribute, Quota};

use super::command::Tag;

/// Writes responses to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

/// How a command ended, or what an untagged status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `OK`
    Ok,
    /// `NO`: understood, not done.
    No,
    /// `BAD`: not understood, or not now.
    Bad,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// `tag SP resp-cond-state`
    pub fn tagged(&mut self, tag: &Tag, condition: Condition, code: Option<&Code<'_>>, text: &str) {
        self.out.put_slice(tag.as_str().as_bytes());
        self.status(condition.name(), code, text);
    }

    /// `"*" SP resp-cond-state`; also the greeting.
    pub fn untagged(&mut self, condition: Condition, code: Option<&Code<'_>>, text: &str) {
        self.out.put_u8(b'*');
        self.status(condition.name(), code, text);
    }

    /// `"*" SP "BYE" SP resp-text`
    pub fn bye(&mut self, code: Option<&Code<'_>>, text: &str) {
        self.out.put_u8(b'*');
        self.status("BYE", code, text);
    }

    fn status(&mut self, condition: &str, code: Option<&Code<'_>>, text: &str) {
        self.out.put_u8(b' ');
        self.out.put_slice(condition.as_bytes());
        self.out.put_u8(b' ');
        match code {
            Some(code) => {
                code.write(self.out);
                self.out.put_u8(b' ');
            }
            // A text must not pass for a code.
            None if text.starts_with('[') => self.out.put_u8(b'-'),
            None => {}
        }
        text::human(self.out, if text.is_empty() { "." } else { text });
        self.end();
    }

    /// `continue-req = "+" SP resp-text CRLF`: goes before a literal or the client's part of IDLE.
    pub fn continuation(&mut self, text: &str) {
        self.out.put_slice(b"+ ");
        text::human(self.out, text);
        self.end();
    }

    /// `continue-req = "+" SP base64 CRLF`: a SASL challenge.
    pub fn challenge(&mut self, challenge: &[u8]) {
        use base64::Engine;
        self.out.put_slice(b"+ ");
        self.out.put_slice(base64::engine::general_purpose::STANDARD.encode(challenge).as_bytes());
        self.end();
    }

    /// `CAPABILITY`
    pub fn capability(&mut self, capabilities: &[&str]) {
        self.words("CAPABILITY", capabilities);
    }

    /// `ENABLED` (RFC 5161): what this command enabled.
    pub fn enabled(&mut self, capabilities: &[&str]) {
        self.words("ENABLED", capabilities);
    }

    fn words(&mut self, name: &str, words: &[&str]) {
        self.out.put_slice(b"* ");
        self.out.put_slice(name.as_bytes());
        for word in words {
            self.out.put_u8(b' ');
            self.out.put_slice(word.as_bytes());
        }
        self.end();
    }

    /// `ID` (RFC 2971); no fields is `NIL`.
    pub fn id(&mut self, fields: &[(&str, &str)]) {
        self.out.put_slice(b"* ID ");
        if fields.is_empty() {
            self.out.put_slice(b"NIL");
        } else {
            text::list(self.out, fields, |out, (field, value)| {
                text::string(out, field.as_bytes());
                out.put_u8(b' ');
                text::string(out, value.as_bytes());
            });
        }
        self.end();
    }

    /// `NAMESPACE` (RFC 2342) of a server with one personal namespace.
    pub fn namespace(&mut self, prefix: &str, delimiter: char) {
        self.out.put_slice(b"* NAMESPACE ((");
        text::string(self.out, super::mutf7::encode(prefix).as_bytes());
        self.out.put_u8(b' ');
        text::string(self.out, delimiter.encode_utf8(&mut [0; 4]).as_bytes());
        self.out.put_slice(b")) NIL NIL");
        self.end();
    }

    /// `FLAGS`: names as on the wire (`\Seen`, `$Junk`).
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        self.out.put_slice(b"* FLAGS ");
        text::list(self.out, flags, |out, flag| out.put_slice(flag.as_bytes()));
        self.end();
    }

    /// `EXISTS`: the number of messages.
    pub fn exists(&mut self, count: u32) {
        self.counted(count, "EXISTS");
    }

    /// `RECENT`: the number of messages with `\Recent`.
    pub fn recent(&mut self, count: u32) {
        self.counted(count, "RECENT");
    }

    /// `EXPUNGE` of a message number; those above it move down by one.
    pub fn expunge(&mut self, sequence: u32) {
        self.counted(sequence, "EXPUNGE");
    }

    fn counted(&mut self, count: u32, name: &str) {
        self.out.put_slice(b"* ");
        text::number(self.out, count);
        self.out.put_u8(b' ');
        self.out.put_slice(name.as_bytes());
        self.end();
    }

    /// `VANISHED` (RFC 7162 3.2.10) of UIDs; `earlier` if they vanished before this session knew them. Nothing is
    /// written for an empty set.
    pub fn vanished(&mut self, earlier: bool, uids: &[RangeInclusive<u32>]) {
        if uids.is_empty() {
            return;
        }
        self.out.put_slice(if earlier { b"* VANISHED (EARLIER) " } else { b"* VANISHED " });
        text::set(self.out, uids);
        self.end();
    }

    /// `SEARCH`: message numbers or UIDs, and the highest MODSEQ among them if the search mentioned MODSEQ and found
    /// something (RFC 7162 3.1.5).
    pub fn search(&mut self, found: impl IntoIterator<Item = u32>, highest_mod_seq: Option<u64>) {
        self.out.put_slice(b"* SEARCH");
        for number in found {
            self.out.put_u8(b' ');
            text::number(self.out, number);
        }
        if let Some(mod_seq) = highest_mod_seq {
            self.out.put_slice(b" (MODSEQ ");
            text::number(self.out, mod_seq);
            self.out.put_u8(b')');
        }
        self.end();
    }

    /// Starts `FETCH` for a message number; [`FetchWriter::finish`] ends it.
    pub fn fetch(&mut self, sequence: u32) -> FetchWriter<'_> {
        FetchWriter::start(self.out, sequence)
    }

    fn end(&mut self) {
        self.out.put_slice(b"\r\n");
    }
}

impl Condition {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

#[cfg(test)]
mod tests;
