//! New messages: APPEND of a session, delivery of the mail path.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};

use crate::{Access, Flags, IdempotencyKey, MailboxName, MailstoreError, TransactionId, Uid, UidValidity};

/// Stores new messages. The body is complete before the call and can be replayed, so a retry with the same key is safe.
#[async_trait]
pub trait Delivery: Send + Sync + 'static {
    /// Stores one message in one mailbox of the session's account.
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError>;

    /// Stores one message for every target or for none ([`MailstoreError::Refused`]). For the `smtp-ingress` and
    /// `outbound` workloads only.
    ///
    /// The key is (transaction, account): a target that has the transaction already is answered as delivered and stored no
    /// second time, whether or not its message was expunged since.
    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError>;
}

/// APPEND.
#[derive(Clone, Debug)]
pub struct AppendRequest {
    /// Names this write.
    pub key: IdempotencyKey,
    /// Where to.
    pub mailbox: MailboxName,
    /// With which flags.
    pub flags: Flags,
    /// INTERNALDATE; `None`: now.
    pub received_at: Option<DateTime<Utc>>,
    /// The message.
    pub body: Spooled,
}

/// Where the message went (RFC 4315).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Generation of the mailbox.
    pub uid_validity: UidValidity,
    /// The message's UID.
    pub uid: Uid,
}

/// One transaction's delivery to accounts of one shard.
#[derive(Clone, Debug)]
pub struct DeliverRequest {
    /// The transaction.
    pub transaction: TransactionId,
    /// At least one, no account twice.
    pub targets: Vec<DeliveryTarget>,
    /// The message with its trace headers; the same for every target.
    pub body: Spooled,
}

/// One account that gets the message, in its INBOX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTarget {
    /// The account.
    pub account: AccountId,
    /// Refused when older than the account's on this shard.
    pub epoch: ShardEpoch,
    /// How much the account may store.
    pub quota: Quota,
}

/// Where the message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Per account: generation and UID in INBOX; `None` when an earlier call of the same transaction had stored it.
    pub stored: BTreeMap<AccountId, Option<Appended>>,
}
