//! Writing the stored form.

use super::WORDS;
use crate::skeleton::{Content, Param, Part, RawEnvelope};

pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// Where the part written last ended.
    pub(super) cursor: u64,
}

impl Writer {
    /// LEB128.
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }

    pub(super) fn octets(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Absent is 0, present is its length plus one.
    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.number(0),
            Some(bytes) => {
                self.number(bytes.len() as u64 + 1);
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// Odd: a known word. Even: a length, then the octets.
    fn word(&mut self, bytes: &[u8]) {
        match WORDS.iter().position(|w| w.as_bytes() == bytes) {
            Some(index) => self.number(index as u64 * 2 + 1),
            None => {
                self.number(bytes.len() as u64 * 2);
                self.out.extend_from_slice(bytes);
            }
        }
    }

    pub(super) fn envelope(&mut self, envelope: &RawEnvelope) {
        for field in [
            &envelope.date,
            &envelope.subject,
            &envelope.from,
            &envelope.sender,
            &envelope.reply_to,
            &envelope.to,
            &envelope.cc,
            &envelope.bcc,
            &envelope.in_reply_to,
            &envelope.message_id,
        ] {
            self.optional(field.as_deref());
        }
    }

    fn params(&mut self, params: &[Param]) {
        self.number(params.len() as u64);
        for param in params {
            self.word(param.name.as_bytes());
            self.word(&param.value);
        }
    }

    pub(super) fn part(&mut self, part: &Part) {
        let gap = part.header_start.wrapping_sub(self.cursor).cast_signed();
        self.number((gap.wrapping_shl(1) ^ (gap >> 63)).cast_unsigned());
        self.number(part.header_len);
        self.number(part.body_len);
        self.number(part.lines);
        self.word(part.media_type.as_bytes());
        self.word(part.media_subtype.as_bytes());
        self.params(&part.params);
        self.details(part);
        self.cursor = part.body_start();
        match &part.content {
            Content::Leaf => self.number(0),
            Content::Message { envelope, root } => {
                self.number(1);
                self.envelope(envelope);
                self.part(root);
            }
            Content::Multipart(children) => {
                self.number(children.len() as u64 + 1);
                for child in children {
                    self.part(child);
                }
            }
        }
        self.cursor = part.body_start() + part.body_len;
    }

    /// The fields most parts lack: a bit each, then those present.
    fn details(&mut self, part: &Part) {
        let octets = [&part.id, &part.description, &part.location, &part.md5];
        let mut present = 0;
        for (bit, field) in octets.iter().enumerate() {
            present |= u64::from(field.is_some()) << bit;
        }
        present |= u64::from(part.encoding.is_some()) << 4;
        present |= u64::from(part.disposition.is_some()) << 5;
        present |= u64::from(!part.language.is_empty()) << 6;
        self.number(present);
        for field in octets.into_iter().flatten() {
            self.octets(field);
        }
        if let Some(encoding) = &part.encoding {
            self.word(encoding.as_bytes());
        }
        if let Some(disposition) = &part.disposition {
            self.word(disposition.kind.as_bytes());
            self.params(&disposition.params);
        }
        if !part.language.is_empty() {
            self.number(part.language.len() as u64);
            for tag in &part.language {
                self.word(tag.as_bytes());
            }
        }
    }
}
