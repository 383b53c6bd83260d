//! SEARCH (RFC 3501 6.4.4), sequence numbers already turned into UIDs.

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::{Access, Keyword, MailboxId, MailstoreError, ModSeq, SystemFlag, UidSet};

/// Finds messages.
#[async_trait]
pub trait Search: Send + Sync + 'static {
    /// The messages of a mailbox that match, from one snapshot.
    async fn search(&self, access: &Access, request: &SearchRequest) -> Result<SearchHits, MailstoreError>;
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRequest {
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Only among these: what the session sees.
    pub among: UidSet,
    /// What matches.
    pub key: SearchKey,
}

/// The messages found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchHits {
    /// Their UIDs.
    pub uids: UidSet,
    /// The highest MODSEQ among them (RFC 7162 3.1.5); zero when nothing was found.
    pub highest_modseq: ModSeq,
}

/// A search key. Text is UTF-8 and matches as a substring without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// Every message.
    All,
    /// Messages of the set.
    Uids(UidSet),
    /// With the system flag.
    Flag(SystemFlag),
    /// With the keyword.
    Keyword(Keyword),
    /// INTERNALDATE (its day) before.
    Before(NaiveDate),
    /// INTERNALDATE on the day.
    On(NaiveDate),
    /// INTERNALDATE on the day or later.
    Since(NaiveDate),
    /// `Date:` header (its day as written, time zone disregarded) before.
    SentBefore(NaiveDate),
    /// `Date:` header on the day.
    SentOn(NaiveDate),
    /// `Date:` header on the day or later.
    SentSince(NaiveDate),
    /// Size in octets above.
    Larger(u64),
    /// Size in octets below.
    Smaller(u64),
    /// MODSEQ at least.
    ModSeq(ModSeq),
    /// A header field contains the text.
    Header(HeaderMatch),
    /// The decoded text of the body contains it.
    Body(String),
    /// Header or body contains it.
    Text(String),
    /// Not the key.
    Not(Box<Self>),
    /// Every key.
    And(Vec<Self>),
    /// Any of the keys.
    Or(Vec<Self>),
}

impl SearchKey {
    /// Deepest nesting that a store takes.
    pub const MAX_DEPTH: usize = 32;
    /// Most keys in one search, inner ones counted.
    pub const MAX_KEYS: usize = 10_000;

    /// Refuses a key that is too deep or too large to evaluate; callers check before they ask.
    ///
    /// # Errors
    /// [`MailstoreError::Invalid`].
    pub fn check(&self) -> Result<(), MailstoreError> {
        // Iterative, so that the depth of a hostile key costs no stack.
        let mut pending = vec![(self, 1)];
        let mut count = 0;
        while let Some((key, depth)) = pending.pop() {
            count += 1;
            if depth > Self::MAX_DEPTH || count > Self::MAX_KEYS {
                return Err(MailstoreError::Invalid {
                    message: "search is too deep or too large".to_owned(),
                });
            }
            match key {
                Self::Not(inner) => pending.push((inner, depth + 1)),
                Self::And(inner) | Self::Or(inner) => {
                    pending.extend(inner.iter().map(|key| (key, depth + 1)))
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A header field and what it contains; empty text: the field exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The field's name.
    pub field: String,
    /// What its decoded value contains.
    pub text: String,
}
