//! Reading the stored form: every length and range is checked.

use super::{DecodeError, MAX_DEPTH, WORDS};
use crate::skeleton::{Content, Disposition, Param, Part, RawEnvelope};

pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) cursor: u64,
    pub(super) size: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
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

    pub(super) fn octets(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.number()?;
        Ok(self.take(length)?.to_vec())
    }

    pub(super) fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.octets()?).map_err(|_| DecodeError::Damaged)
    }

    pub(super) fn optional(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
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

    pub(super) fn envelope(&mut self) -> Result<RawEnvelope, DecodeError> {
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

    pub(super) fn part(&mut self, depth: usize) -> Result<Part, DecodeError> {
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
