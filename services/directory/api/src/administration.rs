//! Managing domains, accounts and aliases.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use staffetta_message::address::{Address, Domain as DomainName};

use crate::{AccountId, AccountState, DirectoryError, Quota, SendingBudget, ShardEpoch, ShardName};

/// What administrators do; every rpc is for the `ctl` and `operator` workloads only.
#[async_trait]
pub trait Administration: Send + Sync + 'static {
    /// Domains in name order.
    async fn list_domains(&self, page: &Page) -> Result<Vec<Domain>, DirectoryError>;
    /// One domain.
    async fn domain(&self, name: &DomainName) -> Result<Domain, DirectoryError>;
    /// Adds a domain.
    async fn create_domain(&self, spec: &DomainSpec) -> Result<Domain, DirectoryError>;
    /// Sets or clears the catch-all of a domain.
    async fn set_catch_all(
        &self,
        name: &DomainName,
        target: Option<&Address>,
    ) -> Result<Domain, DirectoryError>;
    /// Removes a domain that has no accounts and no aliases ([`DirectoryError::Conflict`] otherwise).
    async fn delete_domain(&self, name: &DomainName) -> Result<(), DirectoryError>;

    /// Accounts in address order, of one domain or of all.
    async fn list_accounts(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Account>, DirectoryError>;
    /// One account by any of its addresses.
    async fn account(&self, address: &Address) -> Result<Account, DirectoryError>;
    /// Adds an account with its primary address and password.
    async fn create_account(&self, spec: AccountSpec) -> Result<Account, DirectoryError>;
    /// Changes what the update names and nothing else.
    async fn update_account(
        &self,
        address: &Address,
        update: AccountUpdate,
    ) -> Result<Account, DirectoryError>;
    /// Sets a new password; every session of the account ends at its next renewal.
    async fn set_password(&self, address: &Address, password: SecretString) -> Result<(), DirectoryError>;
    /// First step of a deletion: state `deleting`, no login, no delivery. Idempotent.
    async fn begin_delete_account(&self, address: &Address) -> Result<Account, DirectoryError>;
    /// Last step, after mailstore has purged the account: the rows go, the id is never reused. Idempotent.
    async fn finish_delete_account(&self, account: AccountId) -> Result<(), DirectoryError>;

    /// Aliases in address order, of one domain or of all.
    async fn list_aliases(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Alias>, DirectoryError>;
    /// Adds an alias or replaces its targets.
    async fn put_alias(&self, alias: &AliasTarget) -> Result<Alias, DirectoryError>;
    /// Removes an alias.
    async fn delete_alias(&self, address: &Address) -> Result<(), DirectoryError>;
}

/// Which part of a listing to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what sorts after this name.
    pub after: Option<String>,
    /// At most this many (the service caps it at 1,000).
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: Self::MAX }
    }
}

impl Page {
    /// Most entries that one page has.
    pub const MAX: u32 = 1000;

    /// [`Page::limit`] within the cap; `0` asks for as many as there may be.
    #[must_use]
    pub fn capped(&self) -> usize {
        let limit = if self.limit == 0 { Self::MAX } else { self.limit.min(Self::MAX) };
        limit as usize
    }
}

/// A domain whose mail is delivered here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The name, A-labels in lower case.
    pub name: DomainName,
    /// Where mail for unknown users goes.
    pub catch_all: Option<Address>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// A domain to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSpec {
    /// The name.
    pub name: DomainName,
}

/// An account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its primary address, which is also its login.
    pub address: Address,
    /// What it may do.
    pub state: AccountState,
    /// Where its mail lives.
    pub shard: ShardName,
    /// Guards against a moved account.
    pub epoch: ShardEpoch,
    /// How much it may store.
    pub quota: Quota,
    /// How much it may send; `None`: the platform's default.
    pub budget: Option<SendingBudget>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// An account to add.
#[derive(Clone, Debug)]
pub struct AccountSpec {
    /// Primary address and login; its domain must exist.
    pub address: Address,
    /// The first password.
    pub password: SecretString,
    /// How much it may store; `None`: the platform's default.
    pub quota: Option<Quota>,
    /// How much it may send; `None`: the platform's default.
    pub budget: Option<SendingBudget>,
    /// Where its mail shall live; `None`: the platform's default shard.
    pub shard: Option<ShardName>,
}

/// Changes to an account; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountUpdate {
    /// `Active` or `Disabled`.
    pub state: Option<AccountState>,
    /// How much it may store.
    pub quota: Option<Quota>,
    /// How much it may send; the inner `None` returns it to the platform's default.
    pub budget: Option<Option<SendingBudget>>,
}

/// An address that leads to accounts here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The alias.
    pub address: Address,
    /// Primary addresses of the accounts it leads to.
    pub targets: Vec<Address>,
    /// When it was added or last changed.
    pub created_at: DateTime<Utc>,
}

/// An alias to put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasTarget {
    /// The alias; its domain must exist and no account may have the address.
    pub address: Address,
    /// Addresses of accounts here (at least one, at most 100).
    pub targets: Vec<Address>,
}

/// Most octets of a password; longer ones cost time and protect nothing.
pub const MAX_PASSWORD: usize = 1024;

/// Most targets of one alias.
pub const MAX_ALIAS_TARGETS: usize = 100;

/// What every implementation refuses in a new password.
///
/// # Errors
/// [`DirectoryError::Invalid`].
pub fn check_password(password: &SecretString) -> Result<(), DirectoryError> {
    match password.expose_secret().len() {
        1..=MAX_PASSWORD => Ok(()),
        _ => {
            let message = format!("a password has 1 to {MAX_PASSWORD} octets");
            Err(DirectoryError::Invalid { message })
        }
    }
}

/// What every implementation refuses in the targets of an alias.
///
/// # Errors
/// [`DirectoryError::Invalid`].
pub fn check_targets(targets: &[Address]) -> Result<(), DirectoryError> {
    match targets.len() {
        1..=MAX_ALIAS_TARGETS => Ok(()),
        _ => {
            let message = format!("an alias has 1 to {MAX_ALIAS_TARGETS} targets");
            Err(DirectoryError::Invalid { message })
        }
    }
}

/// What every implementation refuses in an update.
///
/// # Errors
/// [`DirectoryError::Invalid`].
pub fn check_update(update: &AccountUpdate) -> Result<(), DirectoryError> {
    match update.state {
        Some(AccountState::Deleting) => {
            let message = "an account is deleted by begin_delete_account, not by an update".to_owned();
            Err(DirectoryError::Invalid { message })
        }
        _ => Ok(()),
    }
}
