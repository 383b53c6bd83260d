//! What FETCH can ask for (RFC 3501 6.4.5).

use std::num::NonZeroU32;

use bytes::Bytes;

/// `fetch-att` with the macros expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// `UID`
    Uid,
    /// `FLAGS`
    Flags,
    /// `MODSEQ` (RFC 7162)
    ModSeq,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `ENVELOPE`
    Envelope,
    /// `BODY` without a section: the structure without extension data.
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `BODY[...]`, `BODY.PEEK[...]`, `RFC822`, `RFC822.HEADER` or `RFC822.TEXT`: bytes of the message.
    Section(SectionItem),
}

/// A request for bytes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionItem {
    /// Under which name the response returns it.
    pub label: SectionLabel,
    /// Which bytes.
    pub section: Section,
    /// Which of those bytes.
    pub partial: Option<Partial>,
    /// Whether `\Seen` stays as it is.
    pub peek: bool,
}

/// The name of the item in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionLabel {
    /// `BODY[...]`
    Body,
    /// `RFC822`
    Rfc822,
    /// `RFC822.HEADER`
    Rfc822Header,
    /// `RFC822.TEXT`
    Rfc822Text,
}

/// `section-spec`: a part and which piece of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// `section-part`, empty for the whole message.
    pub part: Vec<NonZeroU32>,
    /// `section-text` of that part.
    pub text: SectionText,
}

/// `section-text` (RFC 3501), or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SectionText {
    /// Nothing: the whole message, or the part's body in its transfer encoding.
    #[default]
    Whole,
    /// `HEADER`: the header of the message, or of the message/rfc822 part.
    Header,
    /// `HEADER.FIELDS (...)`
    HeaderFields(Vec<Bytes>),
    /// `HEADER.FIELDS.NOT (...)`
    HeaderFieldsNot(Vec<Bytes>),
    /// `TEXT`: the body of the message, or of the message/rfc822 part.
    Text,
    /// `MIME`: the MIME header of a part.
    Mime,
}

/// `<offset.length>`: a substring of the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The first byte wanted; beyond the end the result is empty.
    pub offset: u32,
    /// At most this many bytes.
    pub length: NonZeroU32,
}
