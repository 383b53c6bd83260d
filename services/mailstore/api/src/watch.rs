//! Wake-ups: which account changed.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use staffetta_directory_api::AccountId;

use crate::{Access, MailboxId, MailstoreError, ModSeq};

/// One multiplexed stream of changes for every account that a gateway watches.
#[async_trait]
pub trait Watch: Send + Sync + 'static {
    /// Watches accounts as commands come. Each account that is added is answered by [`WatchEvent::Watching`] with its MODSEQ of
    /// that moment; from then on every later change is announced at least once. The stream ends with the commands.
    async fn watch(
        &self,
        commands: BoxStream<'static, WatchCommand>,
    ) -> Result<BoxStream<'static, Result<WatchEvent, MailstoreError>>, MailstoreError>;
}

/// What to watch.
#[derive(Clone, Debug)]
pub enum WatchCommand {
    /// Watch this account; repeated with a fresh token it only prolongs.
    Add(Access),
    /// Watch it no more.
    Remove(AccountId),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// The account is watched.
    Watching {
        /// Which account.
        account: AccountId,
        /// Its MODSEQ now.
        modseq: ModSeq,
    },
    /// Something changed; look by `sync`.
    Changed {
        /// Which account.
        account: AccountId,
        /// Which mailbox, if known; `None`: look at all.
        mailbox: Option<MailboxId>,
        /// The account's MODSEQ after the change.
        modseq: ModSeq,
    },
    /// The account is no longer watched: token expired, account gone.
    Ended {
        /// Which account.
        account: AccountId,
    },
}
