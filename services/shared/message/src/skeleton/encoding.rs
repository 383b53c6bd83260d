//! The stored form: one version octet, then varints; common words are one octet.
//!
//! Offsets are written relative to where the previous part ended, so they are small. Any damage is an
//! error, never a panic or a range outside the message.

mod reader;
mod writer;

use super::Skeleton;
use reader::Reader;
use writer::Writer;

const VERSION: u8 = 1;
/// Deeper trees are not decoded (the builder makes far flatter ones).
const MAX_DEPTH: usize = 512;

/// Words with a number of their own. Append only: numbers are stored.
const WORDS: [&str; 64] = [
    "text",
    "plain",
    "html",
    "multipart",
    "mixed",
    "alternative",
    "related",
    "signed",
    "report",
    "digest",
    "message",
    "rfc822",
    "delivery-status",
    "application",
    "octet-stream",
    "pdf",
    "image",
    "png",
    "jpeg",
    "gif",
    "audio",
    "video",
    "charset",
    "utf-8",
    "UTF-8",
    "us-ascii",
    "US-ASCII",
    "iso-8859-1",
    "ISO-8859-1",
    "windows-1252",
    "boundary",
    "name",
    "filename",
    "format",
    "flowed",
    "delsp",
    "yes",
    "no",
    "7bit",
    "8bit",
    "binary",
    "quoted-printable",
    "base64",
    "inline",
    "attachment",
    "size",
    "type",
    "micalg",
    "protocol",
    "report-type",
    "calendar",
    "method",
    "csv",
    "zip",
    "msword",
    "css",
    "xml",
    "json",
    "creation-date",
    "modification-date",
    "read-date",
    "rfc822-headers",
    "pkcs7-signature",
    "pgp-signature",
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
