//! One message under a search key, with or without its body: three-valued, so that a body is read only when it decides.

use bytes::Bytes;
use chrono::NaiveDate;
use staffetta_mailstore_api::{Flags, HeaderMatch, MailstoreError, ModSeq, SearchKey, Uid};
use staffetta_message::header;
use staffetta_message::skeleton::{Content, Part, Skeleton};
use staffetta_message::text::{self, Needle};

use crate::error::internal;
use crate::fetch::{self, MessageRow};
use crate::ranges::{count, uid};
use crate::store::{flags_from, modseq_from};

/// Octets of one part that are decoded.
const PART_LIMIT: usize = 1 << 20;

/// What evaluating a key takes besides plain columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) header: bool,
    pub(super) body: bool,
}

/// A message that may match.
pub(super) struct Candidate {
    pub(super) uid: Uid,
    pub(super) modseq: ModSeq,
    flags: Flags,
    received: NaiveDate,
    size: u64,
    /// `None` when it was not asked for or is too large to be kept apart.
    header: Option<Bytes>,
    skeleton: Option<Skeleton>,
}

pub(super) fn needs(key: &SearchKey) -> Needs {
    match key {
        SearchKey::Header(_) | SearchKey::SentBefore(_) | SearchKey::SentOn(_) | SearchKey::SentSince(_) => {
            // The skeleton tells where a header ends that is too large to be kept apart.
            Needs { header: true, body: true }
        }
        SearchKey::Body(_) => Needs { header: false, body: true },
        SearchKey::Text(_) => Needs { header: true, body: true },
        SearchKey::Not(key) => needs(key),
        SearchKey::And(keys) | SearchKey::Or(keys) => {
            keys.iter().map(needs).fold(Needs::default(), |all, one| Needs {
                header: all.header || one.header,
                body: all.body || one.body,
            })
        }
        _ => Needs::default(),
    }
}

impl Candidate {
    pub(super) fn new(row: MessageRow) -> Result<Self, MailstoreError> {
        let skeleton = row.skeleton.map(|stored| {
            Skeleton::decode(&stored)
                .map_err(|error| internal(format!("skeleton of UID {}: {error}", row.uid)))
        });
        Ok(Self {
            uid: uid(row.uid)?,
            modseq: modseq_from(row.modseq),
            flags: flags_from(row.flags, row.keywords),
            received: row.received_at.date_naive(),
            size: count(row.size),
            header: row.header.map(|stored| fetch::header(&stored)).transpose()?,
            skeleton: skeleton.transpose()?,
        })
    }

    /// Whether the message matches; `None`: the body decides and is not at hand.
    pub(super) fn matches(&self, key: &SearchKey, body: Option<&[u8]>) -> Option<bool> {
        let known = match key {
            SearchKey::All => true,
            SearchKey::Uids(uids) => uids.contains(self.uid),
            SearchKey::Flag(flag) => self.flags.contains(*flag),
            SearchKey::Keyword(keyword) => self.flags.keywords().contains(keyword),
            SearchKey::Before(day) => self.received < *day,
            SearchKey::On(day) => self.received == *day,
            SearchKey::Since(day) => self.received >= *day,
            SearchKey::Larger(size) => self.size > *size,
            SearchKey::Smaller(size) => self.size < *size,
            SearchKey::ModSeq(modseq) => self.modseq >= *modseq,
            SearchKey::SentBefore(day) => self.sent_on(body)?.is_some_and(|sent| sent < *day),
            SearchKey::SentOn(day) => self.sent_on(body)?.is_some_and(|sent| sent == *day),
            SearchKey::SentSince(day) => self.sent_on(body)?.is_some_and(|sent| sent >= *day),
            SearchKey::Header(wanted) => has_field(self.header(body)?, wanted),
            SearchKey::Body(text) => self.body_has(body?, &Needle::new(text)),
            SearchKey::Text(text) => {
                let needle = Needle::new(text);
                match self.header(body) {
                    Some(header) if header_has(header, &needle) => true,
                    _ => self.body_has(body?, &needle),
                }
            }
            SearchKey::Not(key) => !self.matches(key, body)?,
            SearchKey::And(keys) => return all(keys.iter().map(|key| self.matches(key, body))),
            SearchKey::Or(keys) => {
                return all(keys.iter().map(|key| self.matches(key, body).map(|found| !found)))
                    .map(|none| !none);
            }
        };
        Some(known)
    }

    /// The header block: kept apart, or the beginning of the body.
    fn header<'a>(&'a self, body: Option<&'a [u8]>) -> Option<&'a [u8]> {
        if let Some(header) = &self.header {
            return Some(header);
        }
        let end = self.skeleton.as_ref().map_or(0, |skeleton| skeleton.root.body_start());
        body.map(|body| &body[..usize::try_from(end).unwrap_or(usize::MAX).min(body.len())])
    }

    /// The day of the `Date` field as written, time zone disregarded (RFC 3501 6.4.4).
    fn sent_on(&self, body: Option<&[u8]>) -> Option<Option<NaiveDate>> {
        let date = header::first(self.header(body)?, "date");
        Some(date.and_then(|date| header::parse_date(&date)).map(|date| date.date_naive()))
    }

    fn body_has(&self, body: &[u8], needle: &Needle) -> bool {
        self.skeleton.as_ref().is_some_and(|skeleton| part_has(&skeleton.root, body, needle))
    }
}

/// Three-valued "and": one no decides, else one unknown leaves it open.
fn all(mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut open = false;
    let refuted = parts.any(|part| {
        open |= part.is_none();
        part == Some(false)
    });
    if refuted { Some(false) } else { (!open).then_some(true) }
}

fn has_field(block: &[u8], wanted: &HeaderMatch) -> bool {
    let needle = Needle::new(&wanted.text);
    header::fields(block).any(|field| field.is(&wanted.field) && needle.is_in(&field.decoded()))
}

fn header_has(block: &[u8], needle: &Needle) -> bool {
    header::fields(block)
        .any(|field| needle.is_in(&format!("{}: {}", String::from_utf8_lossy(field.name), field.decoded())))
}

fn part_has(part: &Part, body: &[u8], needle: &Needle) -> bool {
    match &part.content {
        Content::Multipart(parts) => parts.iter().any(|part| part_has(part, body, needle)),
        Content::Message { root, .. } => part_has(root, body, needle),
        Content::Leaf => {
            let range = part.body_range();
            let octets = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let octets = octets.and_then(|(start, end)| body.get(start..end)).unwrap_or_default();
            part.is_text() && needle.is_in(&text::decode_part(part, octets, PART_LIMIT))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn an_open_part_leaves_open_only_what_nothing_else_decides() {
        assert_eq!(all([Some(true), None, Some(false)].into_iter()), Some(false));
        assert_eq!(all([Some(true), None].into_iter()), None);
        assert_eq!(all([Some(true), Some(true)].into_iter()), Some(true));
        assert_eq!(all([].into_iter()), Some(true));
    }
}
