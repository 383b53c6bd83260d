//! What SEARCH can ask for (RFC 3501 6.4.4; MODSEQ of RFC 7162).

use bytes::Bytes;
use chrono::NaiveDate;

use super::flag::Flag;
use super::sequence::SequenceSet;

/// `search-key` (RFC 3501 section 9). Depth and count are bounded by the parser's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// Several keys side by side or in parentheses: all must hold. Never empty.
    And(Vec<Self>),
    /// `OR a b`
    Or(Box<Self>, Box<Self>),
    /// `NOT key`
    Not(Box<Self>),
    /// `ANSWERED`, `DELETED`, `DRAFT`, `FLAGGED`, `SEEN`, `RECENT`, `KEYWORD x`.
    Has(Flag),
    /// `UNANSWERED`, `UNDELETED`, `UNDRAFT`, `UNFLAGGED`, `UNSEEN`, `OLD` (no `\Recent`), `UNKEYWORD x`.
    Lacks(Flag),
    /// `NEW`: `\Recent` and not `\Seen`.
    New,
    /// `BCC string`
    Bcc(Bytes),
    /// `CC string`
    Cc(Bytes),
    /// `FROM string`
    From(Bytes),
    /// `SUBJECT string`
    Subject(Bytes),
    /// `TO string`
    To(Bytes),
    /// `HEADER field string`; an empty string asks only whether the field is there.
    Header {
        /// The field's name.
        field: Bytes,
        /// What it must contain.
        value: Bytes,
    },
    /// `BODY string`
    Body(Bytes),
    /// `TEXT string`: header or body.
    Text(Bytes),
    /// `BEFORE date`: internal date, its own day, earlier than.
    Before(NaiveDate),
    /// `ON date`
    On(NaiveDate),
    /// `SINCE date`
    Since(NaiveDate),
    /// `SENTBEFORE date`: the Date field, its own day, earlier than.
    SentBefore(NaiveDate),
    /// `SENTON date`
    SentOn(NaiveDate),
    /// `SENTSINCE date`
    SentSince(NaiveDate),
    /// `LARGER n`: more bytes than.
    Larger(u64),
    /// `SMALLER n`: fewer bytes than.
    Smaller(u64),
    /// `UID set`
    Uid(SequenceSet),
    /// A bare sequence set: message numbers.
    Sequence(SequenceSet),
    /// `MODSEQ [entry] n`: MODSEQ at least `n`; the entry is checked and dropped, as RFC 7162 3.1.5 lets a
    /// server without per-flag modification sequences do.
    ModSeq(u64),
}

impl SearchKey {
    /// Whether `MODSEQ` occurs anywhere: then the answer carries the highest MODSEQ, and CONDSTORE is enabled.
    pub fn mentions_mod_seq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::And(keys) => keys.iter().any(Self::mentions_mod_seq),
            Self::Or(left, right) => left.mentions_mod_seq() || right.mentions_mod_seq(),
            Self::Not(key) => key.mentions_mod_seq(),
            _ => false,
        }
    }
}
