//! What is kept of a part's header, within a budget of octets.

use super::{Disposition, Param, RawEnvelope};
use crate::header::{self, fields, unfold};

/// Longest boundary that is honoured (RFC 2046 5.1.1: 70; more is seen in the wild).
const MAX_BOUNDARY: usize = 256;
/// Octets kept of `References`: the newest ids stand last.
const MAX_REFERENCES: usize = 8 * 1024;

/// The MIME fields of one part.
#[derive(Debug, Default)]
pub(super) struct PartHeader {
    pub(super) media_type: String,
    pub(super) media_subtype: String,
    pub(super) params: Vec<Param>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) description: Option<Vec<u8>>,
    pub(super) encoding: Option<String>,
    pub(super) disposition: Option<Disposition>,
    pub(super) language: Vec<String>,
    pub(super) location: Option<Vec<u8>>,
    pub(super) md5: Option<Vec<u8>>,
}

impl PartHeader {
    /// The boundary, if there is a usable one.
    pub(super) fn boundary(&self) -> Option<Vec<u8>> {
        let value = &self.params.iter().find(|p| p.name == "boundary")?.value;
        // Padding after a boundary is not part of it (RFC 2046 5.1.1).
        let boundary = value.trim_ascii_end();
        (1..=MAX_BOUNDARY).contains(&boundary.len()).then(|| boundary.to_vec())
    }

    pub(super) fn set_opaque(&mut self) {
        self.media_type = "application".to_owned();
        self.media_subtype = "octet-stream".to_owned();
        self.params.clear();
    }

    /// RFC 2045 5.2: the default type.
    pub(super) fn set_text(&mut self) {
        self.media_type = "text".to_owned();
        self.media_subtype = "plain".to_owned();
        self.params = vec![Param { name: "charset".to_owned(), value: b"us-ascii".to_vec() }];
    }
}

/// Reads the MIME fields of `block`; values beyond `budget` are left out.
pub(super) fn read_part_header(
    block: &[u8],
    max_params: usize,
    digest_child: bool,
    budget: &mut usize,
) -> PartHeader {
    let mut read = PartHeader::default();
    let mut media = None;
    for field in fields(block) {
        let Some(kind) = MimeField::of(field.name) else { continue };
        let value = unfold(field.value);
        if value.len() > *budget {
            continue;
        }
        *budget -= value.len();
        match kind {
            MimeField::Type if media.is_none() => media = Some(value),
            MimeField::Encoding if read.encoding.is_none() => read.encoding = header::parse_token(&value),
            MimeField::Disposition if read.disposition.is_none() => {
                read.disposition = header::parse_disposition(&value, max_params);
            }
            MimeField::Language if read.language.is_empty() => {
                read.language = header::parse_languages(&value)
            }
            MimeField::Id => set(&mut read.id, value),
            MimeField::Description => set(&mut read.description, value),
            MimeField::Location => set(&mut read.location, value),
            MimeField::Md5 => set(&mut read.md5, value),
            _ => {}
        }
    }
    match media.as_deref().map(|value| header::parse_media_type(value, max_params)) {
        Some(Some(media)) => {
            read.media_type = media.kind;
            read.media_subtype = media.subtype;
            read.params = media.params;
        }
        None if digest_child => {
            read.media_type = "message".to_owned();
            read.media_subtype = "rfc822".to_owned();
        }
        _ => read.set_text(),
    }
    read
}

/// Reads the envelope fields of `block`; values beyond `budget` are left out.
pub(super) fn read_envelope(block: &[u8], budget: &mut usize) -> RawEnvelope {
    let mut envelope = RawEnvelope::default();
    for field in fields(block) {
        let name = field.name.to_ascii_lowercase();
        let (slot, listed) = match name.as_slice() {
            b"date" => (&mut envelope.date, false),
            b"subject" => (&mut envelope.subject, false),
            b"from" => (&mut envelope.from, false),
            b"sender" => (&mut envelope.sender, false),
            b"reply-to" => (&mut envelope.reply_to, false),
            b"to" => (&mut envelope.to, true),
            b"cc" => (&mut envelope.cc, true),
            b"bcc" => (&mut envelope.bcc, true),
            b"in-reply-to" => (&mut envelope.in_reply_to, false),
            b"message-id" => (&mut envelope.message_id, false),
            _ => continue,
        };
        let value = unfold(field.value);
        if value.len() + 2 > *budget {
            continue;
        }
        *budget -= value.len() + 2;
        match slot {
            Some(first) if listed && !value.is_empty() => {
                if !first.is_empty() {
                    first.extend_from_slice(b", ");
                }
                first.extend_from_slice(&value);
            }
            slot => set(slot, value),
        }
    }
    envelope
}

/// `References` of `block`, only its end when it is very long.
pub(super) fn read_references(block: &[u8]) -> Option<Vec<u8>> {
    let mut value = header::first(block, "references")?;
    if value.len() > MAX_REFERENCES {
        value.drain(..value.len() - MAX_REFERENCES);
    }
    Some(value)
}

/// The first field of a name wins.
fn set(slot: &mut Option<Vec<u8>>, value: Vec<u8>) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

#[derive(Clone, Copy)]
enum MimeField {
    Type,
    Encoding,
    Disposition,
    Language,
    Id,
    Description,
    Location,
    Md5,
}

impl MimeField {
    fn of(name: &[u8]) -> Option<Self> {
        let prefix = name.get(..8)?;
        if !prefix.eq_ignore_ascii_case(b"content-") {
            return None;
        }
        Some(match name[8..].to_ascii_lowercase().as_slice() {
            b"type" => Self::Type,
            b"transfer-encoding" => Self::Encoding,
            b"disposition" => Self::Disposition,
            b"language" => Self::Language,
            b"id" => Self::Id,
            b"description" => Self::Description,
            b"location" => Self::Location,
            b"md5" => Self::Md5,
            _ => return None,
        })
    }
}
