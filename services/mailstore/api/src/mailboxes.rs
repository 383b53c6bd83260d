//! The hierarchy of mailboxes, and opening one.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Access, Keyword, MailboxId, MailstoreError, ModSeq, SyncDelta, Uid, UidSet, UidValidity};

/// Lists, makes, renames, deletes and opens mailboxes.
#[async_trait]
pub trait Mailboxes: Send + Sync + 'static {
    /// Every mailbox and every subscription of the account, in name order.
    async fn list(&self, access: &Access) -> Result<Listing, MailstoreError>;

    /// Makes a mailbox and the parents it lacks. A `\Noselect` name becomes a mailbox of a new generation.
    async fn create(
        &self,
        access: &Access,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, MailstoreError>;

    /// Renames a mailbox and its children; they keep UIDVALIDITY, UIDs and MODSEQs. INBOX is special: its messages move to
    /// the new mailbox with new UIDs, INBOX and its children stay (RFC 3501 6.3.5).
    async fn rename(
        &self,
        access: &Access,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), MailstoreError>;

    /// Deletes a mailbox and its messages; with children it stays as `\Noselect` (RFC 3501 6.3.4). Calls by its id answer
    /// [`MailstoreError::MailboxNotFound`] from then on. Subscriptions stay. INBOX, and a `\Noselect` name with children,
    /// cannot be deleted.
    async fn delete(&self, access: &Access, name: &MailboxName) -> Result<(), MailstoreError>;

    /// Subscribes or unsubscribes a name, whether or not such a mailbox exists (RFC 3501 6.3.6).
    async fn subscribe(
        &self,
        access: &Access,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), MailstoreError>;

    /// Counters of one mailbox, from one snapshot.
    async fn status(&self, access: &Access, name: &MailboxName) -> Result<MailboxStatus, MailstoreError>;

    /// SELECT or EXAMINE in one call and one snapshot; in read-write mode it claims `\Recent`.
    async fn open(&self, access: &Access, request: &OpenRequest) -> Result<Opened, MailstoreError>;
}

/// A full mailbox name in UTF-8, levels separated by `/`; `INBOX` in capitals whatever the case it came in.
///
/// At least one level, no empty level, no control characters, no `%` or `*`; at most 1,000 octets and 32 levels
/// (mailstore may set tighter limits).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailboxName(String);

impl MailboxName {
    /// The hierarchy delimiter.
    pub const DELIMITER: char = '/';
    /// Longest name in octets.
    pub const MAX_LENGTH: usize = 1000;
    /// Deepest level.
    pub const MAX_DEPTH: usize = 32;

    /// The INBOX of every account.
    #[must_use]
    pub fn inbox() -> Self {
        Self("INBOX".to_owned())
    }

    /// Whether this is INBOX itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its last level.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once(Self::DELIMITER).map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Whether this mailbox is below `other`, at any depth.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with(Self::DELIMITER))
    }
}

impl TryFrom<&str> for MailboxName {
    type Error = InvalidMailboxName;

    fn try_from(name: &str) -> Result<Self, InvalidMailboxName> {
        let mut levels = name.split(Self::DELIMITER);
        let valid = name.len() <= Self::MAX_LENGTH
            && levels.clone().count() <= Self::MAX_DEPTH
            && levels.clone().all(|level| !level.is_empty())
            && !name.chars().any(|c| c.is_control() || c == '%' || c == '*');
        if !valid {
            return Err(InvalidMailboxName);
        }
        let first = levels.next().unwrap_or_default();
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(format!("INBOX{}", &name[first.len()..])));
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for MailboxName {
    type Error = InvalidMailboxName;

    fn try_from(name: String) -> Result<Self, InvalidMailboxName> {
        name.as_str().try_into()
    }
}

impl From<MailboxName> for String {
    fn from(name: MailboxName) -> Self {
        name.0
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mailbox name has no empty levels, no control characters, no % or *, at most 1000 octets and 32 levels"
)]
pub struct InvalidMailboxName;

/// What a mailbox is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

/// What an account has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its mailboxes in name order.
    pub mailboxes: Vec<Mailbox>,
    /// The names it subscribed, in order; some may name no mailbox.
    pub subscriptions: Vec<MailboxName>,
}

/// A mailbox as LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// Its full name.
    pub name: MailboxName,
    /// `false`: `\Noselect`, it only holds children.
    pub selectable: bool,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// Counters of a mailbox, from one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Its id.
    pub mailbox: MailboxId,
    /// Its generation.
    pub uid_validity: UidValidity,
    /// No message has this UID yet.
    pub uid_next: Uid,
    /// The highest MODSEQ of the mailbox.
    pub highest_modseq: ModSeq,
    /// Number of messages.
    pub messages: u32,
    /// Number of messages without `\Seen`.
    pub unseen: u32,
    /// Number of messages no read-write session has claimed as `\Recent` yet.
    pub recent: u32,
    /// Sum of sizes in octets.
    pub bytes: u64,
}

/// How a mailbox is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// SELECT: claims `\Recent`.
    ReadWrite,
    /// EXAMINE: changes nothing.
    ReadOnly,
}

/// SELECT or EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Which mailbox.
    pub name: MailboxName,
    /// SELECT or EXAMINE.
    pub mode: OpenMode,
    /// What the client knows from before (RFC 7162 3.2.5).
    pub resync: Option<ResyncRequest>,
}

/// What a QRESYNC client knows.
///
/// The answer's `appeared` holds the messages that are not among the known ones, its `vanished` only known ones; its `changed`
/// holds every message changed after `modseq`, known or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResyncRequest {
    /// The generation it knows; another one voids the rest.
    pub uid_validity: UidValidity,
    /// Changes after this are wanted.
    pub modseq: ModSeq,
    /// The UIDs it knows; `None`: all below UIDNEXT.
    pub known_uids: Option<UidSet>,
}

/// An opened mailbox, from one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its counters; `status.recent` counts what this session claimed (or would claim, read-only).
    pub status: MailboxStatus,
    /// Every message's UID.
    pub uids: UidSet,
    /// The `\Recent` messages of this session.
    pub recent: UidSet,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Keywords in use in this mailbox.
    pub keywords: Vec<Keyword>,
    /// The answer to [`OpenRequest::resync`], `None` if the generation did not match or nothing was asked.
    pub resync: Option<SyncDelta>,
}
