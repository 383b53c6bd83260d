//! The stored form: one version octet, then varints; common words are one octet.
//!
//! Offsets are written relative to where the previous part ended, so they are small. Any damage is an
//! error, never a panic or a range outside the message.

use super::{Content, Disposition, Param, Part, RawEnvelope, Skeleton};

const VERSION: u8 = 1;
/// Deeper trees are not decoded (the builder makes far flatter ones).
const MAX_DEPTH: usize = 512;

/// Words with a number of their own. Append only: numbers are stored.
const WORDS: [&str; 64] = [
    "text", "plain", "html", "multipart", "mixed", "alternative", "related", "signed", "report", "digest",
    "message", "rfc822", "delivery-status", "application", "octet-stream", "pdf", "image", "png", "jpeg",
    "gif", "audio", "video", "charset", "utf-8", "UTF-8", "us-ascii", "US-ASCII", "iso-8859-1", "ISO-8859-1",
    "windows-1252", "boundary", "name", "filename", "format", "flowed", "delsp", "yes", "no", "7bit", "8bit",
    "binary", "quoted-printable", "base64", "inline", "attachment", "size", "type", "micalg", "protocol",
    "report-type", "calendar", "method", "csv", "zip", "msword", "css", "xml", "json", "creation-date",
    "modification-date", "read-date", "rfc822-headers", "pkcs7-signature", "pgp-signature",
];

/// Why stored octets are not a skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Written by another version of this code.
    #[error("the skeleton has unknown version {0}")]
    Version(u8),
    /// The octets end too early.
    #[error("the skeleton is cut short")]
    Truncated,
    /// The octets contradict themselves.
    #[error("the skeleton is damaged")]
    Damaged,
}

impl Skeleton {
    /// The compact stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer { out: vec![VERSION], cursor: 0 };
        writer.number(self.size);
        writer.number(self.lines);
        writer.envelope(&self.envelope);
        writer.optional(self.references.as_deref());
        writer.octets(self.preview.as_bytes());
        writer.part(&self.root);
        writer.out
    }

    /// Restores what [`Skeleton::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; every range of a decoded skeleton lies within its message.
    pub fn decode(stored: &[u8]) -> Result<Self, DecodeError> {
        let (&version, rest) = stored.split_first().ok_or(DecodeError::Truncated)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let mut reader = Reader { rest, cursor: 0, size: 0 };
        reader.size = reader.number()?;
        let skeleton = Self {
            size: reader.size,
            lines: reader.number()?,
            envelope: reader.envelope()?,
            references: reader.optional()?,
            preview: reader.text()?,
            root: reader.part(0)?,
        };
        if reader.rest.is_empty() { Ok(skeleton) } else { Err(DecodeError::Damaged) }
    }
}

struct Writer {
    out: Vec<u8>,
    /// Where the part written last ended.
    cursor: u64,
}

impl Writer {
    /// LEB128.
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }

    fn octets(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Absent is 0, present is its length plus one.
    fn optional(&mut self, bytes: Option<&[u8]>) {
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

    fn envelope(&mut self, envelope: &RawEnvelope) {
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

    fn part(&mut self, part: &Part) {
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

struct Reader<'a> {
    rest: &'a [u8],
    cursor: u64,
    size: u64,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Damaged);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Damaged)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Damaged)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn octets(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.number()?;
        Ok(self.take(length)?.to_vec())
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.octets()?).map_err(|_| DecodeError::Damaged)
    }

    fn optional(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        match self.number()? {
            0 => Ok(None),
            length => Ok(Some(self.take(length - 1)?.to_vec())),
        }
    }

    fn word(&mut self) -> Result<&'a [u8], DecodeError> {
        let number = self.number()?;
        if number % 2 == 0 {
            return self.take(number / 2);
        }
        let index = usize::try_from(number / 2).map_err(|_| DecodeError::Damaged)?;
        WORDS.get(index).map(|w| w.as_bytes()).ok_or(DecodeError::Damaged)
    }

    fn word_text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.word()?.to_vec()).map_err(|_| DecodeError::Damaged)
    }

    fn envelope(&mut self) -> Result<RawEnvelope, DecodeError> {
        Ok(RawEnvelope {
            date: self.optional()?,
            subject: self.optional()?,
            from: self.optional()?,
            sender: self.optional()?,
            reply_to: self.optional()?,
            to: self.optional()?,
            cc: self.optional()?,
            bcc: self.optional()?,
            in_reply_to: self.optional()?,
            message_id: self.optional()?,
        })
    }

    fn params(&mut self) -> Result<Vec<Param>, DecodeError> {
        let count = self.number()?;
        let mut params = Vec::new();
        for _ in 0..count {
            params.push(Param { name: self.word_text()?, value: self.word()?.to_vec() });
        }
        Ok(params)
    }

    fn part(&mut self, depth: usize) -> Result<Part, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::Damaged);
        }
        let zigzag = self.number()?;
        let gap = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let header_start = self.cursor.checked_add_signed(gap).ok_or(DecodeError::Damaged)?;
        let header_len = self.number()?;
        let body_len = self.number()?;
        let body_start = header_start.checked_add(header_len).ok_or(DecodeError::Damaged)?;
        let end = body_start.checked_add(body_len).ok_or(DecodeError::Damaged)?;
        if end > self.size {
            return Err(DecodeError::Damaged);
        }
        let mut part = Part {
            header_start,
            header_len,
            body_len,
            lines: self.number()?,
            media_type: self.word_text()?,
            media_subtype: self.word_text()?,
            params: self.params()?,
            id: None,
            description: None,
            encoding: None,
            disposition: None,
            language: Vec::new(),
            location: None,
            md5: None,
            content: Content::Leaf,
        };
        self.details(&mut part)?;
        self.cursor = body_start;
        part.content = self.content(depth)?;
        self.cursor = end;
        Ok(part)
    }

    fn content(&mut self, depth: usize) -> Result<Content, DecodeError> {
        match self.number()? {
            0 => Ok(Content::Leaf),
            1 => Ok(Content::Message {
                envelope: Box::new(self.envelope()?),
                root: Box::new(self.part(depth + 1)?),
            }),
            count => {
                let mut children = Vec::new();
                for _ in 1..count {
                    children.push(self.part(depth + 1)?);
                }
                Ok(Content::Multipart(children))
            }
        }
    }

    fn details(&mut self, part: &mut Part) -> Result<(), DecodeError> {
        let present = self.number()?;
        for (bit, field) in
            [&mut part.id, &mut part.description, &mut part.location, &mut part.md5].into_iter().enumerate()
        {
            if present >> bit & 1 == 1 {
                *field = Some(self.octets()?);
            }
        }
        if present >> 4 & 1 == 1 {
            part.encoding = Some(self.word_text()?);
        }
        if present >> 5 & 1 == 1 {
            let kind = self.word_text()?;
            part.disposition = Some(Disposition { kind, params: self.params()? });
        }
        if present >> 6 & 1 == 1 {
            for _ in 0..self.number()? {
                part.language.push(self.word_text()?);
            }
        }
        Ok(())
    }
}
