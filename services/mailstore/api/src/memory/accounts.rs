//! Quota use and purge.

use async_trait::async_trait;
use staffetta_directory_api::{AccountId, Quota};

use super::MemoryMailstore;
use super::watch::Change;
use crate::{Access, Accounts, MailstoreError, PurgeProgress, QuotaUsage, Uid, UidSet};

#[async_trait]
impl Accounts for MemoryMailstore {
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError> {
        self.with_account(access, |account| {
            Ok(QuotaUsage { bytes: account.bytes, messages: account.messages, limit: access.quota })
        })
    }

    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError> {
        self.healthy()?;
        let state = self.state();
        let usage = |id| {
            state.accounts.get(id).map_or_else(QuotaUsage::default, |account| QuotaUsage {
                bytes: account.bytes,
                messages: account.messages,
                limit: Quota::UNLIMITED,
            })
        };
        Ok(accounts.iter().map(usage).collect())
    }

    async fn purge(&self, id: AccountId) -> Result<PurgeProgress, MailstoreError> {
        self.healthy()?;
        let mut state = self.state();
        state.purged.insert(id);
        let _ = self.shared.changes.send(Change::Purged { account: id });
        let Some(account) = state.accounts.get_mut(&id) else {
            return Ok(PurgeProgress { removed: 0, done: true });
        };
        let chunk = self.shared.limits.purge_chunk;
        let mut removed = 0;
        for mailbox in account.mailboxes.keys().copied().collect::<Vec<_>>() {
            let Some(data) = account.mailboxes.get(&mailbox).filter(|data| data.selectable) else { continue };
            let room = usize::try_from(chunk - removed).unwrap_or(usize::MAX);
            let uids: Vec<Uid> = data.messages.keys().copied().take(room).collect();
            removed += account.remove(mailbox, &uids.into_iter().collect::<UidSet>(), 0)?.len() as u64;
        }
        let done = account.messages == 0;
        if done {
            state.accounts.remove(&id);
        }
        Ok(PurgeProgress { removed, done })
    }
}
