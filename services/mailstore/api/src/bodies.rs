//! Reading message bodies from object storage.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{Access, MailboxId, MailstoreError, Uid};

/// Streams octets of messages.
#[async_trait]
pub trait Bodies: Send + Sync + 'static {
    /// The ranges in the order asked for; each arrives whole before the next begins. A message that has vanished ends its
    /// range with a chunk marked [`BodyChunk::missing`], and the stream goes on.
    async fn read(
        &self,
        access: &Access,
        mailbox: MailboxId,
        ranges: &[BodyRange],
    ) -> Result<BoxStream<'static, Result<BodyChunk, MailstoreError>>, MailstoreError>;
}

/// A part of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRange {
    /// Which message.
    pub uid: Uid,
    /// First octet.
    pub offset: u64,
    /// Number of octets; `None`: to the end. A range beyond the end is cut.
    pub length: Option<u64>,
}

impl BodyRange {
    /// The whole message.
    #[must_use]
    pub const fn whole(uid: Uid) -> Self {
        Self { uid, offset: 0, length: None }
    }
}

/// A piece of the answer, at most 256 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyChunk {
    /// Index of the range that this belongs to.
    pub range: u32,
    /// The octets.
    pub data: Bytes,
    /// Whether the range ends here.
    pub last: bool,
    /// Whether the message no longer exists (then `data` is empty and `last` is set).
    pub missing: bool,
}
