//! Accounts as a whole: quota use and purge.

use async_trait::async_trait;
use staffetta_directory_api::{AccountId, Quota};

use crate::{Access, MailstoreError};

/// What concerns an account as a whole.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// How much the account stores, and its limit.
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError>;

    /// How much some accounts store, advisory, for RCPT; accounts that never got mail use nothing. For the `smtp-ingress`
    /// and `ctl` workloads.
    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError>;

    /// Removes a chunk of everything an account has, and refuses it from now on; repeat until done. Idempotent. For the
    /// `ctl` and `operator` workloads only.
    async fn purge(&self, account: AccountId) -> Result<PurgeProgress, MailstoreError>;
}

/// How much an account stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Sum of message sizes in octets.
    pub bytes: u64,
    /// Number of messages.
    pub messages: u64,
    /// The limit the question carried; [`Quota::UNLIMITED`] in [`Accounts::usage`].
    pub limit: Quota,
}

/// How far a purge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeProgress {
    /// Messages removed by this call.
    pub removed: u64,
    /// Whether nothing is left.
    pub done: bool,
}
