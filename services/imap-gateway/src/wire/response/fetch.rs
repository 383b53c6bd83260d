//! `FETCH` responses, item by item (RFC 3501 7.4.2).

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Datelike, Timelike, Utc};
use staffetta_message::skeleton::{Part, Skeleton};

use super::super::fetch::{Section, SectionItem, SectionLabel, SectionText};
use super::text::{astring, list, literal_header, number};
use super::{body_structure, envelope};

/// Writes the items of one `FETCH` response. Dropping it without [`FetchWriter::finish`] leaves the response
/// open, which is how a body streams: write [`FetchWriter::section_literal`], let go of the buffer, send the octets,
/// and go on with [`FetchWriter::resume`].
#[derive(Debug)]
pub struct FetchWriter<'a> {
    out: &'a mut BytesMut,
    is_first: bool,
}

impl<'a> FetchWriter<'a> {
    /// Starts a response for a message number.
    pub fn start(out: &'a mut BytesMut, sequence: u32) -> Self {
        out.put_slice(b"* ");
        number(out, sequence);
        out.put_slice(b" FETCH (");
        Self { out, is_first: true }
    }

    /// Goes on with a response that has at least one item.
    pub fn resume(out: &'a mut BytesMut) -> Self {
        Self { out, is_first: false }
    }

    /// Ends the response.
    pub fn finish(self) {
        self.out.put_slice(b")\r\n");
    }

    fn item(&mut self, name: &str) {
        if !self.is_first {
            self.out.put_u8(b' ');
        }
        self.is_first = false;
        self.out.put_slice(name.as_bytes());
    }

    /// `UID`
    pub fn uid(&mut self, uid: u32) {
        self.item("UID ");
        number(self.out, uid);
    }

    /// `FLAGS`: names as on the wire, `\Recent` among them if the session holds it.
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        self.item("FLAGS ");
        list(self.out, flags, |out, flag| out.put_slice(flag.as_bytes()));
    }

    /// `MODSEQ` (RFC 7162)
    pub fn mod_seq(&mut self, mod_seq: u64) {
        self.item("MODSEQ (");
        number(self.out, mod_seq);
        self.out.put_u8(b')');
    }

    /// `INTERNALDATE`, in UTC.
    pub fn internal_date(&mut self, date: DateTime<Utc>) {
        self.item("INTERNALDATE ");
        date_time(self.out, date);
    }

    /// `RFC822.SIZE` in octets.
    pub fn size(&mut self, size: u64) {
        self.item("RFC822.SIZE ");
        number(self.out, size);
    }

    /// `ENVELOPE`
    pub fn envelope(&mut self, skeleton: &Skeleton) {
        self.item("ENVELOPE ");
        envelope::write(self.out, &skeleton.envelope());
    }

    /// `BODY`: the structure without extension data.
    pub fn body(&mut self, root: &Part) {
        self.item("BODY ");
        body_structure::write(self.out, root, false);
    }

    /// `BODYSTRUCTURE`
    pub fn body_structure(&mut self, root: &Part) {
        self.item("BODYSTRUCTURE ");
        body_structure::write(self.out, root, true);
    }

    /// The head of a section's literal: exactly `size` octets must follow in the buffer or on the connection.
    pub fn section_literal(&mut self, item: &SectionItem, size: u64) {
        self.section_name(item);
        literal_header(self.out, size);
    }

    /// A section whose octets are at hand.
    pub fn section(&mut self, item: &SectionItem, octets: &[u8]) {
        self.section_literal(item, octets.len() as u64);
        self.out.put_slice(octets);
    }

    /// A section that the message does not have.
    pub fn section_nil(&mut self, item: &SectionItem) {
        self.section_name(item);
        self.out.put_slice(b"NIL");
    }

    /// `msg-att-static`'s name of a section, and the space behind it.
    fn section_name(&mut self, item: &SectionItem) {
        match item.label {
            SectionLabel::Rfc822 => self.item("RFC822"),
            SectionLabel::Rfc822Header => self.item("RFC822.HEADER"),
            SectionLabel::Rfc822Text => self.item("RFC822.TEXT"),
            SectionLabel::Body => {
                self.item("BODY[");
                section_spec(self.out, &item.section);
                self.out.put_u8(b']');
                if let Some(partial) = item.partial {
                    self.out.put_u8(b'<');
                    number(self.out, partial.offset);
                    self.out.put_u8(b'>');
                }
            }
        }
        self.out.put_u8(b' ');
    }
}

/// `section-spec`
fn section_spec(out: &mut BytesMut, section: &Section) {
    for (index, part) in section.part.iter().enumerate() {
        if index > 0 {
            out.put_u8(b'.');
        }
        number(out, part.get());
    }
    if !section.part.is_empty() && section.text != SectionText::Whole {
        out.put_u8(b'.');
    }
    match &section.text {
        SectionText::Whole => {}
        SectionText::Header => out.put_slice(b"HEADER"),
        SectionText::Text => out.put_slice(b"TEXT"),
        SectionText::Mime => out.put_slice(b"MIME"),
        SectionText::HeaderFields(names) => {
            out.put_slice(b"HEADER.FIELDS ");
            list(out, names, |out, name| astring(out, name));
        }
        SectionText::HeaderFieldsNot(names) => {
            out.put_slice(b"HEADER.FIELDS.NOT ");
            list(out, names, |out, name| astring(out, name));
        }
    }
}

/// `date-time`; a year that four digits cannot hold is moved to the nearest that they can.
fn date_time(out: &mut BytesMut, date: DateTime<Utc>) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let year = u32::try_from(date.year()).unwrap_or(0).min(9999);
    out.put_u8(b'"');
    if date.day() < 10 {
        out.put_u8(b' ');
        number(out, date.day());
    } else {
        two_digits(out, date.day());
    }
    out.put_u8(b'-');
    out.put_slice(MONTHS[date.month0() as usize % 12].as_bytes());
    out.put_u8(b'-');
    two_digits(out, year / 100);
    two_digits(out, year % 100);
    for (before, value) in [(b' ', date.hour()), (b':', date.minute()), (b':', date.second())] {
        out.put_u8(before);
        two_digits(out, value);
    }
    out.put_slice(b" +0000\"");
}

fn two_digits(out: &mut BytesMut, value: u32) {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
    out.put_slice(&[digit(value / 10), digit(value)]);
}
