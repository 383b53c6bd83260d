use async_trait::async_trait;
use staffetta_message::address::{Address, Domain};

use super::{MemoryDirectory, State};
use crate::lookup::Lookup;
use crate::{
    AccountId, AccountState, DirectoryError, RecipientResolution, Resolution, ResolvedAccount,
    SenderResolution,
};

#[async_trait]
impl Resolution for MemoryDirectory {
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        let state = self.state();
        Ok(addresses.iter().map(|address| state.resolve(address)).collect())
    }

    async fn resolve_sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError> {
        let state = self.state();
        let active = |id| state.accounts.get(&id).is_some_and(|e| e.account.state == AccountState::Active);
        Ok(match state.resolve(address) {
            RecipientResolution::Local(accounts)
                if active(account) && accounts.iter().any(|a| a.account == account) =>
            {
                SenderResolution::Permitted
            }
            _ => SenderResolution::Denied,
        })
    }

    async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        Ok(self.state().domains.contains_key(domain.as_str()))
    }
}

impl State {
    fn resolve(&self, address: &Address) -> RecipientResolution {
        let lookup = Lookup::of(address);
        let domain = lookup.domain().as_str();
        if !self.domains.contains_key(domain) {
            return RecipientResolution::Remote;
        }
        let (ids, tag) = if let Some(ids) = self.ids_at(&lookup.exact) {
            (ids, None)
        } else if let Some((ids, tag)) = lookup.base.and_then(|(base, tag)| Some((self.ids_at(&base)?, tag)))
        {
            (ids, Some(tag))
        } else {
            (self.catch_alls.get(address.domain().as_str()).copied().into_iter().collect(), None)
        };
        let accounts: Vec<ResolvedAccount> = ids
            .iter()
            .map(|id| &self.accounts[id].account)
            .filter(|account| account.state != AccountState::Deleting)
            .map(|account| ResolvedAccount {
                account: account.id,
                address: account.address.clone(),
                shard: account.shard.clone(),
                epoch: account.epoch,
                quota: account.quota,
                tag: tag.clone(),
            })
            .collect();
        if accounts.is_empty() {
            RecipientResolution::UnknownUser
        } else {
            RecipientResolution::Local(accounts)
        }
    }

    fn ids_at(&self, address: &Address) -> Option<Vec<AccountId>> {
        let key = address.to_string();
        let primary = self.primaries.get(&key).map(|id| vec![*id]);
        primary.or_else(|| self.aliases.get(&key).map(|alias| alias.targets.clone()))
    }
}
