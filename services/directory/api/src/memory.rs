//! Directory in memory: for tests of its callers, and the simplest thing that passes the contract.
//!
//! Passwords are kept as plain SHA-256, counters never expire on their own, and a login under attack is not slowed
//! (which the contract allows: it must only not be locked).

mod administration;
mod authentication;
mod budgets;
mod resolution;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use staffetta_chassis::clock::Clock;
use staffetta_message::address::{Address, Domain as DomainName};
use uuid::Uuid;

use crate::token::{PublicKey, SigningKey, TOKEN_LIFE, TokenSigner, TokenVerifier};
use crate::{
    Account, AccountId, AccountState, Alias, Directory, DirectoryError, Domain, Quota, Scopes, SendingBudget,
    ShardEpoch, ShardName, Workloads, lookup,
};

/// The platform's defaults and limits of a [`MemoryDirectory`].
#[derive(Clone, Debug)]
pub struct MemorySettings {
    /// Failures of one (login, address) pair that lock it.
    pub pair_failures: u32,
    /// Failures of one address that lock it.
    pub address_failures: u32,
    /// How long a lock lasts.
    pub lock: Duration,
    /// How much an account, and a sender address, may send.
    pub budget: SendingBudget,
    /// How much a new account may store.
    pub quota: Quota,
    /// How long a session token lives.
    pub token_life: Duration,
}

impl Default for MemorySettings {
    fn default() -> Self {
        let unlimited = SendingBudget {
            messages_per_hour: 0,
            messages_per_day: 0,
            recipients_per_hour: 0,
            recipients_per_day: 0,
        };
        Self {
            pair_failures: 10,
            address_failures: 100,
            lock: Duration::from_secs(15 * 60),
            budget: unlimited,
            quota: Quota::UNLIMITED,
            token_life: TOKEN_LIFE,
        }
    }
}

/// Directory in memory, as the workload `test` sees it. Clones and [`Workloads::for_workload`] share the state.
#[derive(Clone)]
pub struct MemoryDirectory {
    shared: Arc<Shared>,
    workload: Arc<str>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    settings: MemorySettings,
    signer: TokenSigner,
    key: PublicKey,
    state: Mutex<State>,
}

/// Everything there is. Addresses are folded before they become keys.
#[derive(Default)]
struct State {
    domains: BTreeMap<String, Domain>,
    catch_alls: BTreeMap<String, AccountId>,
    accounts: BTreeMap<AccountId, Entry>,
    primaries: BTreeMap<String, AccountId>,
    aliases: BTreeMap<String, AliasEntry>,
    sessions: HashMap<String, SessionEntry>,
    pair_failures: HashMap<(String, IpAddr), Failures>,
    address_failures: HashMap<IpAddr, Failures>,
    charges: Vec<Charge>,
    last_id: i64,
}

struct Entry {
    account: Account,
    password: [u8; 32],
    /// Grows when every session of the account shall end.
    version: u32,
}

struct AliasEntry {
    address: Address,
    targets: Vec<AccountId>,
    created_at: DateTime<Utc>,
}

struct SessionEntry {
    id: Uuid,
    account: AccountId,
    version: u32,
    workload: Arc<str>,
    scopes: Scopes,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    until: SystemTime,
}

struct Charge {
    transaction: Uuid,
    account: AccountId,
    sender: Option<String>,
    recipients: u32,
    at: SystemTime,
}

// === impl MemoryDirectory ===

impl MemoryDirectory {
    /// An empty directory with a fresh signing key.
    ///
    /// # Panics
    /// When the system has no randomness for the key.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_settings(clock, MemorySettings::default())
    }

    /// An empty directory with its own defaults and limits.
    ///
    /// # Panics
    /// When the system has no randomness for the key.
    #[must_use]
    pub fn with_settings(clock: Arc<dyn Clock>, settings: MemorySettings) -> Self {
        let key = SigningKey::generate("memory").expect("the system has randomness for a key");
        let shared = Shared {
            clock,
            settings,
            signer: TokenSigner::new(&key),
            key: key.public().clone(),
            state: Mutex::default(),
        };
        Self { shared: Arc::new(shared), workload: "test".into() }
    }

    /// Adds a domain, or leaves it as it is.
    ///
    /// # Panics
    /// When `name` is not a domain.
    pub fn add_domain(&self, name: &str) {
        let name: DomainName = name.parse().expect("a domain name");
        let created_at = self.now();
        self.state().domains.entry(name.to_string()).or_insert(Domain { name, catch_all: None, created_at });
    }

    /// Adds an account, and its domain where it is missing; without limits.
    ///
    /// # Panics
    /// When `address` is not an address or is taken.
    pub fn add_account(&self, address: &str, password: &str) -> AccountId {
        let address = lookup::fold(&address.parse().expect("an address"));
        self.add_domain(address.domain().as_str());
        let spec = NewAccount {
            address,
            password,
            quota: Quota::UNLIMITED,
            budget: None,
            shard: ShardName::default(),
        };
        self.insert_account(spec).expect("a free address").id
    }

    /// Adds an alias or replaces its targets, which are primary addresses.
    ///
    /// # Panics
    /// When an address is malformed or a target does not exist.
    pub fn add_alias(&self, address: &str, targets: &[&str]) {
        let address = lookup::fold(&address.parse().expect("an address"));
        let mut state = self.state();
        let targets = targets.iter().map(|target| state.primaries[*target]).collect();
        let created_at = self.now();
        state.aliases.insert(address.to_string(), AliasEntry { address, targets, created_at });
    }

    /// Changes the state of an account; disabling ends its sessions at their next renewal.
    ///
    /// # Panics
    /// When the account does not exist.
    pub fn set_state(&self, account: AccountId, new: AccountState) {
        let mut state = self.state();
        let entry = state.accounts.get_mut(&account).expect("an account");
        entry.account.state = new;
        entry.version += 1;
    }

    /// The public key that verifies this directory's tokens.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.shared.key
    }

    /// A verifier of this directory's tokens.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new(std::slice::from_ref(&self.shared.key))
    }

    fn insert_account(&self, spec: NewAccount<'_>) -> Result<Account, DirectoryError> {
        let mut state = self.state();
        let key = spec.address.to_string();
        if state.primaries.contains_key(&key) || state.aliases.contains_key(&key) {
            return Err(DirectoryError::AlreadyExists { what: format!("address {key}") });
        }
        state.last_id += 1;
        let account = Account {
            id: AccountId(state.last_id),
            address: spec.address,
            state: AccountState::Active,
            shard: spec.shard,
            epoch: ShardEpoch::default(),
            quota: spec.quota,
            budget: spec.budget,
            created_at: self.now(),
        };
        let entry = Entry { account: account.clone(), password: digest(spec.password), version: 1 };
        state.primaries.insert(key, account.id);
        state.accounts.insert(account.id, entry);
        Ok(account)
    }

    fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now().into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workloads for MemoryDirectory {
    fn for_workload(&self, workload: &str) -> Arc<dyn Directory> {
        Arc::new(Self { shared: Arc::clone(&self.shared), workload: workload.into() })
    }
}

struct NewAccount<'a> {
    address: Address,
    password: &'a str,
    quota: Quota,
    budget: Option<SendingBudget>,
    shard: ShardName,
}

// === impl State ===

impl State {
    /// The one account that has `address` or to which it, an alias, leads.
    fn account_at(&self, address: &Address) -> Result<AccountId, DirectoryError> {
        let key = lookup::fold(address).to_string();
        if let Some(id) = self.primaries.get(&key) {
            return Ok(*id);
        }
        match self.aliases.get(&key).map(|alias| alias.targets.as_slice()) {
            Some([id]) => Ok(*id),
            Some(_) => Err(DirectoryError::Conflict { message: format!("{key} leads to several accounts") }),
            None => Err(DirectoryError::NotFound { what: format!("account {key}") }),
        }
    }

    fn alias(&self, entry: &AliasEntry) -> Alias {
        let mut targets: Vec<Address> =
            entry.targets.iter().map(|id| self.accounts[id].account.address.clone()).collect();
        targets.sort_by_cached_key(ToString::to_string);
        Alias { address: entry.address.clone(), targets, created_at: entry.created_at }
    }
}

fn digest(password: &str) -> [u8; 32] {
    Sha256::digest(password.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::clock::Manual;

    use super::*;
    use crate::contract::{self, Harness};

    async fn harness() -> Harness {
        let clock = Manual::at_unix(1_800_000_000);
        let settings = MemorySettings {
            pair_failures: contract::PAIR_FAILURES,
            address_failures: contract::ADDRESS_FAILURES,
            lock: contract::LOCK,
            budget: contract::BUDGET,
            ..MemorySettings::default()
        };
        let directory = MemoryDirectory::with_settings(Arc::new(clock.clone()), settings);
        let verifier = directory.verifier();
        Harness { clock, directory: Arc::new(directory), verifier, keep: Box::new(()) }
    }

    #[tokio::test]
    async fn fake_keeps_the_contract() {
        contract::suite(harness).await;
    }

    #[tokio::test]
    async fn fake_keeps_the_contract_through_grpc() {
        contract::suite(|| async { contract::over_grpc(harness().await).await }).await;
    }

    #[tokio::test]
    async fn each_rpc_is_for_the_workloads_that_need_it() {
        use crate::{BudgetCharge, DirectoryError, LoginRequest, Page, Scope, SessionHandle};

        let harness = contract::over_grpc(harness().await).await;
        let as_workload = |name: &str| harness.directory.for_workload(name);
        let denied = |error: DirectoryError| matches!(error, DirectoryError::PermissionDenied { .. });
        let charge =
            BudgetCharge { transaction: Uuid::nil(), account: AccountId(1), sender: None, recipients: 1 };
        let login = LoginRequest {
            login: "alice@north.test".to_owned(),
            password: "pw".into(),
            scopes: Scope::Imap.into(),
            client: IpAddr::from([127, 0, 0, 1]),
        };
        for name in ["ctl", "operator", "outbound", "mailstore", "stranger"] {
            let directory = as_workload(name);
            assert!(denied(directory.login(login.clone()).await.unwrap_err()), "{name}");
            assert!(denied(directory.renew(&SessionHandle(String::new())).await.unwrap_err()), "{name}");
            assert!(denied(directory.charge(&charge).await.unwrap_err()), "{name}");
        }
        for name in ["imap-gateway", "pop3-gateway", "ctl", "stranger"] {
            assert!(denied(as_workload(name).resolve_recipients(&[]).await.unwrap_err()), "{name}");
        }
        for name in ["smtp-ingress", "imap-gateway", "pop3-gateway", "outbound", "stranger"] {
            assert!(denied(as_workload(name).list_domains(&Page::default()).await.unwrap_err()), "{name}");
        }
        for name in ["smtp-ingress", "outbound"] {
            as_workload(name).resolve_recipients(&[]).await.unwrap();
        }
        as_workload("operator").list_domains(&Page::default()).await.unwrap();
        as_workload("smtp-ingress").charge(&charge).await.unwrap();
        let error = as_workload("pop3-gateway").login(login).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed);
    }

    #[tokio::test]
    async fn fixtures_can_log_in() {
        use crate::{Authentication as _, LoginRequest, Scope};

        let directory = MemoryDirectory::new(Arc::new(Manual::at_unix(1_800_000_000)));
        let alice = directory.add_account("alice@north.test", "secret");
        directory.add_alias("team@north.test", &["alice@north.test"]);
        let request = LoginRequest {
            login: "alice@north.test".to_owned(),
            password: "secret".into(),
            scopes: Scope::Pop3.into(),
            client: IpAddr::from([127, 0, 0, 1]),
        };
        let session = directory.login(request.clone()).await.unwrap();
        assert_eq!(session.account, alice);
        directory.set_state(alice, AccountState::Disabled);
        assert!(directory.login(request).await.is_err());
        assert!(directory.renew(&session.handle).await.is_err());
    }
}
