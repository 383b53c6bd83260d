//! The skeleton: what ONE streaming pass over a message learns at ingest.
//!
//! It holds everything FETCH ENVELOPE, BODYSTRUCTURE and part reads need, so that nothing is ever
//! parsed twice and listing never touches a body. Feed a message to [`SkeletonBuilder`] in chunks of
//! any size (the result does not depend on where the chunks are cut), store [`Skeleton::encode`], and
//! read with [`Skeleton::envelope`], [`Skeleton::part`] and [`Skeleton::section_range`].

mod builder;
mod encoding;
mod part_header;
mod read;
mod tree;

pub use builder::{Ingested, SkeletonBuilder};
pub use encoding::DecodeError;
pub use read::Envelope;

use std::ops::Range;

/// Raw header values of an envelope: unfolded, trimmed, not decoded; `None` where the field is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawEnvelope {
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `From`.
    pub from: Option<Vec<u8>>,
    /// `Sender`.
    pub sender: Option<Vec<u8>>,
    /// `Reply-To`.
    pub reply_to: Option<Vec<u8>>,
    /// `To`; repeated fields are joined with a comma.
    pub to: Option<Vec<u8>>,
    /// `Cc`; repeated fields are joined with a comma.
    pub cc: Option<Vec<u8>>,
    /// `Bcc`; repeated fields are joined with a comma.
    pub bcc: Option<Vec<u8>>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Message-ID`, as written.
    pub message_id: Option<Vec<u8>>,
}

/// One parameter of a structured MIME field: name lower-cased, value unquoted but not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The attribute, lower case (`charset`, `filename*0*`).
    pub name: String,
    /// The value's octets.
    pub value: Vec<u8>,
}

/// `Content-Disposition` (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// The type, lower case (`inline`, `attachment`).
    pub kind: String,
    /// Parameters in the order written.
    pub params: Vec<Param>,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Anything that is not looked into. Never `multipart/*` or `message/rfc822`: such a part beyond a
    /// limit, or encoded, is shown as `application/octet-stream` (RFC 2049 2).
    Leaf,
    /// `multipart/*`: at least one part.
    Multipart(Vec<Part>),
    /// `message/rfc822`: the message in the body. Its root part's header is the message's header.
    Message {
        /// The inner message's envelope.
        envelope: Box<RawEnvelope>,
        /// The inner message's root part.
        root: Box<Part>,
    },
}

/// A node of the MIME tree. All offsets are octets from the start of the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Media type, lower case (`text`).
    pub media_type: String,
    /// Media subtype, lower case (`plain`).
    pub media_subtype: String,
    /// `Content-Type` parameters in the order written.
    pub params: Vec<Param>,
    /// `Content-ID`.
    pub id: Option<Vec<u8>>,
    /// `Content-Description`.
    pub description: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding`, lower case; `None` means 7bit.
    pub encoding: Option<String>,
    /// `Content-Disposition`.
    pub disposition: Option<Disposition>,
    /// `Content-Language`, the tags in order.
    pub language: Vec<String>,
    /// `Content-Location`.
    pub location: Option<Vec<u8>>,
    /// `Content-MD5`.
    pub md5: Option<Vec<u8>>,
    /// Where the part's header starts.
    pub header_start: u64,
    /// Octets of the header, the empty line included. The body starts right behind it.
    pub header_len: u64,
    /// Octets of the body; the line end before a boundary belongs to the boundary.
    pub body_len: u64,
    /// Line feeds in the body.
    pub lines: u64,
    /// What the body holds.
    pub content: Content,
}

/// What one pass over a message learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    /// Octets of the whole message.
    pub size: u64,
    /// Line feeds in the whole message.
    pub lines: u64,
    /// The message's envelope fields.
    pub envelope: RawEnvelope,
    /// `References`, raw, for threading (only the newest ids, when it is very long).
    pub references: Option<Vec<u8>>,
    /// The first characters of the first text part: decoded, white space collapsed.
    pub preview: String,
    /// The root of the MIME tree; its header is the message's header.
    pub root: Part,
}

/// Bounds on what is looked at and kept. Beyond a limit a part is an opaque leaf, never an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nesting: every multipart, every message and its root count one.
    pub depth: usize,
    /// Parts in the whole tree.
    pub parts: usize,
    /// Octets kept of the message's own header. A longer header is cut for reading its fields.
    pub header: usize,
    /// Octets looked at of one part's header.
    pub part_header: usize,
    /// Parameters of one field.
    pub params: usize,
    /// Octets of field values kept in the whole skeleton, the message's own header aside.
    pub retained: usize,
    /// Characters of preview.
    pub preview: usize,
}

/// The text specifier of an IMAP section (RFC 3501 6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionText {
    /// No specifier: the whole message, or the body of a part.
    Whole,
    /// `HEADER`: the header of a message or of a `message/rfc822` part's message.
    Header,
    /// `TEXT`: its body.
    Text,
    /// `MIME`: the header of a part.
    Mime,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            parts: 1000,
            header: 256 * 1024,
            part_header: 64 * 1024,
            params: 64,
            retained: 256 * 1024,
            preview: 200,
        }
    }
}

// === impl Part ===

impl Part {
    /// Where the body starts.
    #[must_use]
    pub fn body_start(&self) -> u64 {
        self.header_start + self.header_len
    }

    /// The header's octets, the empty line included.
    #[must_use]
    pub fn header_range(&self) -> Range<u64> {
        self.header_start..self.body_start()
    }

    /// The body's octets.
    #[must_use]
    pub fn body_range(&self) -> Range<u64> {
        self.body_start()..self.body_start() + self.body_len
    }

    /// The first parameter of `Content-Type` named `name` (lower case).
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params.iter().find(|p| p.name == name).map(|p| p.value.as_slice())
    }

    /// Whether the media type is `text/*`.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.media_type == "text"
    }
}

#[cfg(test)]
mod tests;
