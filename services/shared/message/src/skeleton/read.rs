//! Answers from a skeleton: the envelope, parts by IMAP section number, octet ranges.

use std::ops::Range;

use super::{Content, Part, RawEnvelope, SectionText, Skeleton};
use crate::header::{ListedAddress, address_list, message_ids};

/// The structured envelope of RFC 3501 7.4.2. Texts are raw octets, not decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `Date`.
    pub date: Option<&'a [u8]>,
    /// `Subject`.
    pub subject: Option<&'a [u8]>,
    /// `From`.
    pub from: Vec<ListedAddress>,
    /// `Sender`; `From` where absent or empty.
    pub sender: Vec<ListedAddress>,
    /// `Reply-To`; `From` where absent or empty.
    pub reply_to: Vec<ListedAddress>,
    /// `To`.
    pub to: Vec<ListedAddress>,
    /// `Cc`.
    pub cc: Vec<ListedAddress>,
    /// `Bcc`.
    pub bcc: Vec<ListedAddress>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<&'a [u8]>,
    /// `Message-ID`.
    pub message_id: Option<&'a [u8]>,
}

impl RawEnvelope {
    /// Parses the address lists and applies the defaults of RFC 3501 7.4.2.
    #[must_use]
    pub fn structured(&self) -> Envelope<'_> {
        let list = |field: &Option<Vec<u8>>| field.as_deref().map(address_list).unwrap_or_default();
        let from = list(&self.from);
        let or_from = |field: &Option<Vec<u8>>| {
            let own = list(field);
            if own.is_empty() { from.clone() } else { own }
        };
        Envelope {
            date: self.date.as_deref(),
            subject: self.subject.as_deref(),
            sender: or_from(&self.sender),
            reply_to: or_from(&self.reply_to),
            to: list(&self.to),
            cc: list(&self.cc),
            bcc: list(&self.bcc),
            in_reply_to: self.in_reply_to.as_deref(),
            message_id: self.message_id.as_deref(),
            from,
        }
    }
}

impl Skeleton {
    /// The message's envelope.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        self.envelope.structured()
    }

    /// Octets of the header block, the empty line included.
    #[must_use]
    pub fn header_len(&self) -> u64 {
        self.root.header_len
    }

    /// The part with an IMAP section number (RFC 3501 6.4.5); an empty path is the root.
    ///
    /// Part 1 of a message that is not multipart is its root part; numbers go on inside `message/rfc822`.
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let mut part = &self.root;
        // Whether `part` is the root of a message, which part 1 may name again.
        let mut at_message = true;
        for &number in path {
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            let container = match &part.content {
                Content::Message { root, .. } if !at_message => root,
                _ => part,
            };
            let enters_message = at_message || !std::ptr::eq(container, part);
            part = match &container.content {
                Content::Multipart(children) => children.get(index)?,
                _ if enters_message && index == 0 => container,
                _ => return None,
            };
            at_message = false;
        }
        Some(part)
    }

    /// The octets an IMAP section names; `None` if there is no such section.
    #[must_use]
    pub fn section_range(&self, path: &[u32], text: SectionText) -> Option<Range<u64>> {
        if path.is_empty() {
            return match text {
                SectionText::Whole => Some(0..self.size),
                SectionText::Header => Some(self.root.header_range()),
                SectionText::Text => Some(self.root.body_range()),
                SectionText::Mime => None,
            };
        }
        let part = self.part(path)?;
        match (text, &part.content) {
            (SectionText::Whole, _) => Some(part.body_range()),
            (SectionText::Mime, _) => Some(part.header_range()),
            (SectionText::Header, Content::Message { root, .. }) => Some(root.header_range()),
            (SectionText::Text, Content::Message { root, .. }) => Some(root.body_range()),
            _ => None,
        }
    }

    /// All parts that are not multipart, depth first; messages are followed by the parts inside them.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Part> {
        let mut found = Vec::new();
        let mut open = vec![&self.root];
        while let Some(part) = open.pop() {
            match &part.content {
                Content::Leaf => found.push(part),
                Content::Multipart(children) => open.extend(children.iter().rev()),
                Content::Message { root, .. } => {
                    found.push(part);
                    open.push(root);
                }
            }
        }
        found
    }

    /// The message's own id, if it has one.
    #[must_use]
    pub fn message_id(&self) -> Option<String> {
        message_ids(self.envelope.message_id.as_deref()?).into_iter().next()
    }

    /// The ids of the messages before this one in its thread: `References`, then `In-Reply-To`, without repeats.
    #[must_use]
    pub fn ancestors(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for value in [&self.references, &self.envelope.in_reply_to].into_iter().flatten() {
            for id in message_ids(value) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        ids
    }
}
