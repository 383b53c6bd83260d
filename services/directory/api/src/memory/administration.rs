use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use staffetta_message::address::{Address, Domain as DomainName};

use super::{AliasEntry, MemoryDirectory, NewAccount, State, digest};
use crate::administration::{check_password, check_targets, check_update};
use crate::{
    Account, AccountId, AccountSpec, AccountState, AccountUpdate, Administration, Alias, AliasTarget,
    DirectoryError, Domain, DomainSpec, Page, lookup,
};

#[async_trait]
impl Administration for MemoryDirectory {
    async fn list_domains(&self, page: &Page) -> Result<Vec<Domain>, DirectoryError> {
        Ok(after(&self.state().domains, page).take(page.capped()).map(|(_, domain)| domain.clone()).collect())
    }

    async fn domain(&self, name: &DomainName) -> Result<Domain, DirectoryError> {
        self.state().domains.get(name.as_str()).cloned().ok_or_else(|| no_domain(name))
    }

    async fn create_domain(&self, spec: &DomainSpec) -> Result<Domain, DirectoryError> {
        let mut state = self.state();
        if state.domains.contains_key(spec.name.as_str()) {
            return Err(DirectoryError::AlreadyExists { what: format!("domain {}", spec.name) });
        }
        let domain = Domain { name: spec.name.clone(), catch_all: None, created_at: self.now() };
        state.domains.insert(spec.name.to_string(), domain.clone());
        Ok(domain)
    }

    async fn set_catch_all(
        &self,
        name: &DomainName,
        target: Option<&Address>,
    ) -> Result<Domain, DirectoryError> {
        let mut state = self.state();
        if !state.domains.contains_key(name.as_str()) {
            return Err(no_domain(name));
        }
        let id = target.map(|target| state.account_at(target)).transpose()?;
        state.catch_alls.remove(name.as_str());
        state.catch_alls.extend(id.map(|id| (name.to_string(), id)));
        let address = id.map(|id| state.accounts[&id].account.address.clone());
        let domain = state.domains.get_mut(name.as_str()).ok_or_else(|| no_domain(name))?;
        domain.catch_all = address;
        Ok(domain.clone())
    }

    async fn delete_domain(&self, name: &DomainName) -> Result<(), DirectoryError> {
        let mut state = self.state();
        let of_domain = |address: &Address| address.domain() == name;
        if state.accounts.values().any(|entry| of_domain(&entry.account.address))
            || state.aliases.values().any(|alias| of_domain(&alias.address))
        {
            return Err(DirectoryError::Conflict {
                message: format!("{name} still has accounts or aliases"),
            });
        }
        state.catch_alls.remove(name.as_str());
        state.domains.remove(name.as_str()).map(|_| ()).ok_or_else(|| no_domain(name))
    }

    async fn list_accounts(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Account>, DirectoryError> {
        let state = self.state();
        let accounts = after(&state.primaries, page).map(|(_, id)| &state.accounts[id].account);
        let wanted =
            accounts.filter(|account| domain.is_none_or(|domain| account.address.domain() == domain));
        Ok(wanted.take(page.capped()).cloned().collect())
    }

    async fn account(&self, address: &Address) -> Result<Account, DirectoryError> {
        let state = self.state();
        let id = state.account_at(address)?;
        Ok(state.accounts[&id].account.clone())
    }

    async fn create_account(&self, spec: AccountSpec) -> Result<Account, DirectoryError> {
        check_password(&spec.password)?;
        let address = lookup::fold(&spec.address);
        if !self.state().domains.contains_key(address.domain().as_str()) {
            return Err(no_domain(address.domain()));
        }
        self.insert_account(NewAccount {
            address,
            password: spec.password.expose_secret(),
            quota: spec.quota.unwrap_or(self.shared.settings.quota),
            budget: spec.budget,
            shard: spec.shard.unwrap_or_default(),
        })
    }

    async fn update_account(
        &self,
        address: &Address,
        update: AccountUpdate,
    ) -> Result<Account, DirectoryError> {
        check_update(&update)?;
        let mut state = self.state();
        let id = state.account_at(address)?;
        let entry = state.living(id)?;
        if update.state == Some(AccountState::Disabled) {
            entry.version += 1;
        }
        entry.account.state = update.state.unwrap_or(entry.account.state);
        entry.account.quota = update.quota.unwrap_or(entry.account.quota);
        entry.account.budget = update.budget.unwrap_or(entry.account.budget);
        Ok(entry.account.clone())
    }

    async fn set_password(&self, address: &Address, password: SecretString) -> Result<(), DirectoryError> {
        check_password(&password)?;
        let mut state = self.state();
        let id = state.account_at(address)?;
        let entry = state.living(id)?;
        entry.password = digest(password.expose_secret());
        entry.version += 1;
        Ok(())
    }

    async fn begin_delete_account(&self, address: &Address) -> Result<Account, DirectoryError> {
        let mut state = self.state();
        let id = state.account_at(address)?;
        let entry = state.accounts.get_mut(&id).ok_or_else(|| no_account(id))?;
        entry.account.state = AccountState::Deleting;
        Ok(entry.account.clone())
    }

    async fn finish_delete_account(&self, account: AccountId) -> Result<(), DirectoryError> {
        let mut state = self.state();
        let Some(entry) = state.accounts.get(&account) else { return Ok(()) };
        if entry.account.state != AccountState::Deleting {
            return Err(DirectoryError::Conflict {
                message: format!("account {account} is not being deleted"),
            });
        }
        let key = entry.account.address.to_string();
        state.primaries.remove(&key);
        for alias in state.aliases.values_mut() {
            alias.targets.retain(|target| *target != account);
        }
        state.aliases.retain(|_, alias| !alias.targets.is_empty());
        let caught: Vec<String> =
            state.catch_alls.iter().filter(|(_, id)| **id == account).map(|(name, _)| name.clone()).collect();
        for name in caught {
            state.catch_alls.remove(&name);
            if let Some(domain) = state.domains.get_mut(&name) {
                domain.catch_all = None;
            }
        }
        state.accounts.remove(&account);
        Ok(())
    }

    async fn list_aliases(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Alias>, DirectoryError> {
        let state = self.state();
        let aliases = after(&state.aliases, page).map(|(_, alias)| alias);
        let wanted = aliases.filter(|alias| domain.is_none_or(|domain| alias.address.domain() == domain));
        Ok(wanted.take(page.capped()).map(|alias| state.alias(alias)).collect())
    }

    async fn put_alias(&self, alias: &AliasTarget) -> Result<Alias, DirectoryError> {
        check_targets(&alias.targets)?;
        let address = lookup::fold(&alias.address);
        let key = address.to_string();
        let mut state = self.state();
        if !state.domains.contains_key(address.domain().as_str()) {
            return Err(no_domain(address.domain()));
        }
        if state.primaries.contains_key(&key) {
            return Err(DirectoryError::AlreadyExists { what: format!("account {key}") });
        }
        let mut targets = Vec::new();
        for target in &alias.targets {
            let id = state.account_at(target)?;
            state.living(id)?;
            if !targets.contains(&id) {
                targets.push(id);
            }
        }
        state.aliases.insert(key.clone(), AliasEntry { address, targets, created_at: self.now() });
        Ok(state.alias(&state.aliases[&key]))
    }

    async fn delete_alias(&self, address: &Address) -> Result<(), DirectoryError> {
        let key = lookup::fold(address).to_string();
        let removed = self.state().aliases.remove(&key);
        removed.map(|_| ()).ok_or_else(|| DirectoryError::NotFound { what: format!("alias {key}") })
    }
}

impl State {
    fn living(&mut self, id: AccountId) -> Result<&mut super::Entry, DirectoryError> {
        let entry = self.accounts.get_mut(&id).ok_or_else(|| no_account(id))?;
        if entry.account.state == AccountState::Deleting {
            let message = format!("{} is being deleted", entry.account.address);
            return Err(DirectoryError::Conflict { message });
        }
        Ok(entry)
    }
}

fn after<'a, T>(entries: &'a BTreeMap<String, T>, page: &Page) -> impl Iterator<Item = (&'a String, &'a T)> {
    let start = page.after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
    entries.range((start, Bound::Unbounded))
}

fn no_domain(name: &DomainName) -> DirectoryError {
    DirectoryError::NotFound { what: format!("domain {name}") }
}

fn no_account(id: AccountId) -> DirectoryError {
    DirectoryError::NotFound { what: format!("account {id}") }
}
