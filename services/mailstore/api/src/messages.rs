//! Messages of a mailbox: what changed, their metadata, flags, copies and removal.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::{
    Access, Flags, IdempotencyKey, MailboxId, MailboxName, MailstoreError, ModSeq, Uid, UidSet, UidValidity,
};

/// Reads and changes messages without touching bodies.
#[async_trait]
pub trait Messages: Send + Sync + 'static {
    /// What changed in a mailbox since a cursor, from one snapshot.
    async fn sync(&self, access: &Access, request: &SyncRequest) -> Result<SyncDelta, MailstoreError>;

    /// Metadata of messages, in UID order; UIDs that do not exist are left out.
    async fn fetch(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError>;

    /// Changes flags; UIDs that do not exist are left out.
    async fn store(&self, access: &Access, request: &StoreRequest) -> Result<StoreOutcome, MailstoreError>;

    /// Copies messages to a mailbox, all or none; bodies are shared.
    async fn copy(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError>;

    /// Moves messages to a mailbox in one transaction (RFC 6851).
    async fn relocate(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError>;

    /// Removes messages that have `\Deleted`.
    async fn expunge(&self, access: &Access, request: &ExpungeRequest) -> Result<Expunged, MailstoreError>;
}

/// Where a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Everything up to this MODSEQ is known.
    pub since: ModSeq,
    /// The first UID that is not known: the UIDNEXT of the last answer.
    pub uid_next: Uid,
    /// Claim `\Recent` of new messages (read-write sessions).
    pub claim_recent: bool,
}

/// What changed since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDelta {
    /// Its generation; another one than known means: the mailbox was replaced.
    pub uid_validity: UidValidity,
    /// The next cursor's UID part.
    pub uid_next: Uid,
    /// The next cursor's MODSEQ part.
    pub highest_modseq: ModSeq,
    /// `true`: the journal no longer reaches back to the cursor; `appeared` is every UID of the mailbox and `vanished` is
    /// empty: whatever the session knows and does not find there has vanished.
    pub full: bool,
    /// UIDs that are new (all of them when `full`).
    pub appeared: UidSet,
    /// UIDs that were expunged.
    pub vanished: UidSet,
    /// Flags of all messages changed since the cursor, the new ones among them.
    pub changed: Vec<FlagRun>,
    /// The new messages that this session claimed as `\Recent`.
    pub recent: UidSet,
}

/// Messages that share flags and MODSEQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagRun {
    /// The messages.
    pub uids: UidSet,
    /// Their MODSEQ.
    pub modseq: ModSeq,
    /// Their flags.
    pub flags: Flags,
}

/// Which messages and which of their metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Which messages.
    pub uids: UidSet,
    /// What of them; UID, MODSEQ, flags, received time and size always come.
    pub items: FetchItems,
    /// Only messages changed after this.
    pub changed_since: Option<ModSeq>,
}

/// The costlier metadata of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchItems {
    /// The skeleton (envelope and MIME structure with offsets).
    pub skeleton: bool,
    /// The header block.
    pub header: bool,
}

/// Metadata of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchedMessage {
    /// Its UID.
    pub uid: Uid,
    /// Its MODSEQ.
    pub modseq: ModSeq,
    /// Its flags.
    pub flags: Flags,
    /// INTERNALDATE.
    pub received_at: DateTime<Utc>,
    /// RFC822.SIZE in octets.
    pub size: u64,
    /// The encoded skeleton (`staffetta_message::skeleton::Skeleton::decode`), if asked for.
    pub skeleton: Option<Bytes>,
    /// The raw header block with its closing empty line, if asked for. Empty when it is too large to be kept apart
    /// (then read it by [`crate::Bodies`] from the skeleton's range).
    pub header: Option<Bytes>,
}

/// A change of flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRequest {
    /// Names this write.
    pub key: IdempotencyKey,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Which messages.
    pub uids: UidSet,
    /// What to do.
    pub operation: FlagsOperation,
    /// With which flags.
    pub flags: Flags,
    /// Leave messages alone that changed after this (RFC 7162 3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// How STORE combines flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagsOperation {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// What a [`StoreRequest`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreOutcome {
    /// The flags now, of every message asked for that exists and was not held back; a message whose flags were so
    /// already keeps its MODSEQ.
    pub stored: Vec<FlagRun>,
    /// Messages held back by `unchanged_since`.
    pub modified: UidSet,
    /// The mailbox's highest MODSEQ after the change.
    pub highest_modseq: ModSeq,
}

/// COPY or MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRequest {
    /// Names this write.
    pub key: IdempotencyKey,
    /// From which mailbox.
    pub mailbox: MailboxId,
    /// Which messages; UIDs that do not exist are left out.
    pub uids: UidSet,
    /// To which mailbox.
    pub target: MailboxName,
}

/// What COPY or MOVE did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Generation of the target mailbox.
    pub uid_validity: UidValidity,
    /// UIDs in the source, ascending.
    pub source: UidSet,
    /// UIDs in the target; the n-th belongs to the n-th of `source`.
    pub target: UidSet,
    /// For MOVE, the source mailbox's highest MODSEQ after the removal.
    pub source_modseq: ModSeq,
}

/// EXPUNGE or UID EXPUNGE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpungeRequest {
    /// Names this write.
    pub key: IdempotencyKey,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Only among these; `None`: the whole mailbox.
    pub uids: Option<UidSet>,
}

/// What an expunge removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expunged {
    /// The removed messages.
    pub uids: UidSet,
    /// The mailbox's highest MODSEQ after the removal.
    pub highest_modseq: ModSeq,
}
