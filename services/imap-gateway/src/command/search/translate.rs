//! From the client's search keys to mailstore's: sequence numbers become UIDs, text becomes UTF-8, and what only this session
//! knows (`\Recent`) is decided here (pure).

use bytes::Bytes;
use staffetta_mailstore_api::{HeaderMatch, Keyword, ModSeq, SearchKey, SystemFlag, UidSet};

use crate::view::{NoSuchMessage, View};
use crate::wire::flag::Flag;
use crate::wire::search::SearchKey as WireKey;

/// Why a search cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Untranslatable {
    /// A sequence number names no message.
    NoSuchMessage,
    /// The strings are not in the charset the command names.
    BadText,
}

impl From<NoSuchMessage> for Untranslatable {
    fn from(_: NoSuchMessage) -> Self {
        Self::NoSuchMessage
    }
}

/// How the strings of a search are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charset(&'static encoding_rs::Encoding);

impl Charset {
    /// A charset by its name; without one, US-ASCII, read as UTF-8.
    pub(super) fn named(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self(encoding_rs::UTF_8)) };
        encoding_rs::Encoding::for_label_no_replacement(name.as_bytes()).map(Self)
    }

    fn decode(self, text: &Bytes) -> Result<String, Untranslatable> {
        let decoded = self.0.decode_without_bom_handling_and_without_replacement(text);
        decoded.map(std::borrow::Cow::into_owned).ok_or(Untranslatable::BadText)
    }
}

/// Translates a key for the messages of a view.
pub(super) fn translate(key: &WireKey, view: &View, charset: Charset) -> Result<SearchKey, Untranslatable> {
    let inner = |key| translate(key, view, charset);
    let header = |field: &str, text: &Bytes| header(field, text, charset);
    Ok(match key {
        WireKey::All => SearchKey::All,
        WireKey::And(keys) => SearchKey::And(keys.iter().map(inner).collect::<Result<_, _>>()?),
        WireKey::Or(left, right) => SearchKey::Or(vec![inner(left)?, inner(right)?]),
        WireKey::Not(key) => SearchKey::Not(Box::new(inner(key)?)),
        WireKey::Has(flag) => has(flag, view),
        WireKey::Lacks(flag) => SearchKey::Not(Box::new(has(flag, view))),
        WireKey::New => SearchKey::And(vec![
            SearchKey::Uids(view.recent().clone()),
            SearchKey::Not(Box::new(SearchKey::Flag(SystemFlag::Seen))),
        ]),
        WireKey::Bcc(text) => header("Bcc", text)?,
        WireKey::Cc(text) => header("Cc", text)?,
        WireKey::From(text) => header("From", text)?,
        WireKey::Subject(text) => header("Subject", text)?,
        WireKey::To(text) => header("To", text)?,
        WireKey::Header { field, value } => header(&String::from_utf8_lossy(field), value)?,
        WireKey::Body(text) => SearchKey::Body(charset.decode(text)?),
        WireKey::Text(text) => SearchKey::Text(charset.decode(text)?),
        WireKey::Before(date) => SearchKey::Before(*date),
        WireKey::On(date) => SearchKey::On(*date),
        WireKey::Since(date) => SearchKey::Since(*date),
        WireKey::SentBefore(date) => SearchKey::SentBefore(*date),
        WireKey::SentOn(date) => SearchKey::SentOn(*date),
        WireKey::SentSince(date) => SearchKey::SentSince(*date),
        WireKey::Larger(size) => SearchKey::Larger(*size),
        WireKey::Smaller(size) => SearchKey::Smaller(*size),
        WireKey::Uid(set) => SearchKey::Uids(view.resolve(set, true)?),
        WireKey::Sequence(set) => SearchKey::Uids(view.resolve(set, false)?),
        WireKey::ModSeq(modseq) => SearchKey::ModSeq(ModSeq(*modseq)),
    })
}

fn header(field: &str, text: &Bytes, charset: Charset) -> Result<SearchKey, Untranslatable> {
    Ok(SearchKey::Header(HeaderMatch { field: field.to_owned(), text: charset.decode(text)? }))
}

/// A flag no message can have matches nothing.
fn has(flag: &Flag, view: &View) -> SearchKey {
    match flag {
        Flag::Seen => SearchKey::Flag(SystemFlag::Seen),
        Flag::Answered => SearchKey::Flag(SystemFlag::Answered),
        Flag::Flagged => SearchKey::Flag(SystemFlag::Flagged),
        Flag::Deleted => SearchKey::Flag(SystemFlag::Deleted),
        Flag::Draft => SearchKey::Flag(SystemFlag::Draft),
        Flag::Recent => SearchKey::Uids(view.recent().clone()),
        Flag::Keyword(name) => Keyword::try_from(name.clone())
            .map_or_else(|_| SearchKey::Uids(UidSet::new()), SearchKey::Keyword),
        Flag::Extension(_) => SearchKey::Uids(UidSet::new()),
    }
}
