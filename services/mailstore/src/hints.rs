//! Wake-ups between mailstore pods: "look at this account now". They may be lost; the poll of [`crate::watch`] covers that.

use std::fmt;

use futures_util::stream::BoxStream;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{MailboxId, ModSeq};

#[cfg(test)]
mod contract;
mod local;
mod redis;

pub use self::local::LocalHints;
pub use self::redis::{RedisHints, RedisHintsConfig, RedisHintsError};

/// What happened to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// Which account.
    pub account: AccountId,
    /// Which mailbox; `None`: look at all.
    pub mailbox: Option<MailboxId>,
    /// The MODSEQ the change took.
    pub modseq: ModSeq,
    /// The account is being purged.
    pub purged: bool,
}

/// One item of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintEvent {
    /// Something happened.
    Hint(Hint),
    /// Some hints were lost: anything may have happened.
    Lost,
}

/// Carries hints to every subscriber of every pod of the shard, this one included.
pub trait Hints: fmt::Debug + Send + Sync + 'static {
    /// Sends; never waits and never fails.
    fn publish(&self, hints: &[Hint]);

    /// Everything published from now on.
    fn subscribe(&self) -> BoxStream<'static, HintEvent>;
}

impl Hint {
    /// A change in one mailbox.
    #[must_use]
    pub fn mailbox(account: AccountId, mailbox: MailboxId, modseq: ModSeq) -> Self {
        Self { account, mailbox: Some(mailbox), modseq, purged: false }
    }

    /// A change of the account as a whole.
    #[must_use]
    pub fn account(account: AccountId, modseq: ModSeq) -> Self {
        Self { account, mailbox: None, modseq, purged: false }
    }

    /// The account goes away.
    #[must_use]
    pub fn purged(account: AccountId) -> Self {
        Self { account, mailbox: None, modseq: ModSeq(0), purged: true }
    }
}
