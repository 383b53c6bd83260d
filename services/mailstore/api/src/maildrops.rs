//! The POP3 maildrop: INBOX under an exclusive lease (RFC 1939 4).

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Access, IdempotencyKey, MailboxId, MailstoreError, Uid, UidSet, UidValidity};

/// Leases maildrops, cluster-wide. A lease that ran out is lost, whether or not somebody else took it.
#[async_trait]
pub trait Maildrops: Send + Sync + 'static {
    /// Takes the lease and a snapshot; [`MailstoreError::MaildropInUse`] while another session holds it.
    async fn open_maildrop(&self, access: &Access) -> Result<Maildrop, MailstoreError>;

    /// Keeps the lease alive (every 15 s; it expires after 60 s).
    async fn renew_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError>;

    /// UPDATE state: removes the messages (whether or not they have `\Deleted`) and gives the lease back, in one
    /// transaction. [`MailstoreError::LeaseLost`]: nothing was removed.
    async fn commit_maildrop(
        &self,
        access: &Access,
        lease: &MaildropLease,
        key: IdempotencyKey,
        deleted: &UidSet,
    ) -> Result<(), MailstoreError>;

    /// Gives the lease back and removes nothing; a lost lease is fine.
    async fn release_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError>;
}

/// The fencing token of a maildrop lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaildropLease(pub Uuid);

/// A snapshot of INBOX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maildrop {
    /// The lease.
    pub lease: MaildropLease,
    /// INBOX.
    pub mailbox: MailboxId,
    /// Its generation.
    pub uid_validity: UidValidity,
    /// Its messages in UID order.
    pub messages: Vec<MaildropMessage>,
}

/// One message of the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaildropMessage {
    /// Its UID.
    pub uid: Uid,
    /// Its size in octets.
    pub size: u64,
}
