//! What can go wrong between a caller and mailstore, by what the caller does about it.

use serde::{Deserialize, Serialize};
use staffetta_directory_api::AccountId;

/// A refusal or failure of mailstore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailstoreError {
    /// The mailbox does not exist (`NO [NONEXISTENT]`, or `[TRYCREATE]` for APPEND, COPY and MOVE).
    #[error("mailbox does not exist")]
    MailboxNotFound,
    /// The name is taken (`NO [ALREADYEXISTS]`).
    #[error("mailbox exists already")]
    MailboxExists,
    /// The name or the operation is not possible for this mailbox (`NO [CANNOT]`): INBOX deleted, `\Noselect` selected,
    /// a name too long, too deep, with control characters.
    #[error("{message}")]
    Cannot {
        /// Text that is safe to show to the user.
        message: String,
    },
    /// A named limit of the account is reached (`NO [LIMIT]`): mailboxes, keywords, size of a message.
    #[error("{message}")]
    Limit {
        /// Text that is safe to show to the user.
        message: String,
    },
    /// The message would exceed the account's quota (`NO [OVERQUOTA]`, 452 or 552).
    #[error("mailbox is full")]
    OverQuota,
    /// A delivery that is all or nothing was refused because of these accounts; nothing was stored.
    #[error("delivery refused for {} account(s)", .refusals.len())]
    Refused {
        /// Every account that refuses, and why.
        refusals: Vec<Refusal>,
    },
    /// A message of the request has vanished (`NO [EXPUNGEISSUED]`).
    #[error("some of the messages no longer exist")]
    MessageVanished,
    /// Another session holds the maildrop (`-ERR [IN-USE]`).
    #[error("maildrop is in use by another session")]
    MaildropInUse,
    /// The maildrop lease expired or was taken over; nothing was deleted.
    #[error("maildrop lease is lost")]
    LeaseLost,
    /// The account moved to another shard, or is being deleted; log in again.
    #[error("account is not served here any more")]
    StaleEpoch,
    /// The session token is missing, broken, expired, or lacks the scope.
    #[error("access denied: {message}")]
    AccessDenied {
        /// For the log.
        message: String,
    },
    /// The stored bytes do not match their checksum; never served (a temporary error to the client).
    #[error("stored message is damaged: {message}")]
    Corrupt {
        /// Pack and message, for the log.
        message: String,
    },
    /// The request itself is wrong; a defect of the caller.
    #[error("invalid request: {message}")]
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// mailstore or something it needs is away, or the outcome is unknown; the same call (same key) may be repeated.
    #[error("mailstore is unavailable: {message}")]
    Unavailable {
        /// For the log, not for the user.
        message: String,
    },
    /// A defect on our side.
    #[error("internal error: {message}")]
    Internal {
        /// For the log, not for the user.
        message: String,
    },
}

impl MailstoreError {
    /// Whether repeating the same call later may succeed.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Internal { .. } | Self::Corrupt { .. })
    }
}

/// One account that does not take a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The account.
    pub account: AccountId,
    /// Why.
    pub reason: RefusalReason,
}

/// Why an account does not take a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Over quota: `452 4.2.2` or `552 5.2.2`.
    OverQuota,
    /// The account moved or is being deleted: resolve again.
    StaleEpoch,
    /// Larger than this shard takes: `552 5.3.4`.
    TooLarge,
}
