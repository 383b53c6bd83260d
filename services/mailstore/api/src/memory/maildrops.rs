//! The POP3 maildrop.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::MemoryMailstore;
use super::messages::reused_key;
use super::state::{Account, Answer};
use crate::{
    Access, IdempotencyKey, MailboxName, Maildrop, MaildropLease, MaildropMessage, Maildrops, MailstoreError,
    UidSet,
};

/// How long a lease lives without renewal.
const LEASE: Duration = Duration::from_secs(60);

#[async_trait]
impl Maildrops for MemoryMailstore {
    async fn open_maildrop(&self, access: &Access) -> Result<Maildrop, MailstoreError> {
        let now = self.shared.clock.instant();
        self.with_account(access, |account| {
            if account.lease.is_some_and(|(_, expires)| now < expires) {
                return Err(MailstoreError::MaildropInUse);
            }
            let lease = MaildropLease(Uuid::new_v4());
            account.lease = Some((lease, now + LEASE));
            let inbox = account.named(&MailboxName::inbox())?;
            let messages = inbox
                .messages
                .iter()
                .map(|(uid, message)| MaildropMessage { uid: *uid, size: message.size() });
            Ok(Maildrop {
                lease,
                mailbox: inbox.id,
                uid_validity: inbox.uid_validity,
                messages: messages.collect(),
            })
        })
    }

    async fn renew_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        let now = self.shared.clock.instant();
        self.with_account(access, |account| {
            held(account, *lease, now)?;
            account.lease = Some((*lease, now + LEASE));
            Ok(())
        })
    }

    async fn commit_maildrop(
        &self,
        access: &Access,
        lease: &MaildropLease,
        key: IdempotencyKey,
        deleted: &UidSet,
    ) -> Result<(), MailstoreError> {
        let (now, journal) = (self.shared.clock.instant(), self.shared.limits.journal);
        self.with_account(access, |account| {
            match account.answers.get(&key) {
                Some(Answer::MaildropCommitted) => return Ok(()),
                Some(_) => return Err(reused_key()),
                None => held(account, *lease, now)?,
            }
            let inbox = account.named(&MailboxName::inbox())?;
            let (id, doomed) = (inbox.id, inbox.existing(deleted));
            if !doomed.is_empty() {
                account.next_modseq();
                account.touch(Some(id));
                account.remove(id, &doomed.into_iter().collect(), journal)?;
            }
            account.lease = None;
            account.answers.insert(key, Answer::MaildropCommitted);
            Ok(())
        })
    }

    async fn release_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        self.with_account(access, |account| {
            account.lease = account.lease.filter(|(holder, _)| holder != lease);
            Ok(())
        })
    }
}

fn held(account: &Account, lease: MaildropLease, now: std::time::Instant) -> Result<(), MailstoreError> {
    match account.lease {
        Some((holder, expires)) if holder == lease && now < expires => Ok(()),
        _ => Err(MailstoreError::LeaseLost),
    }
}
