//! The port's traits over the service's parts, as one calling workload sees them.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use staffetta_directory_api::{
    Account, AccountId, AccountSpec, AccountUpdate, Administration, Alias, AliasTarget, Authentication,
    BudgetCharge, BudgetOutcome, Budgets, Directory, DirectoryError, Domain, DomainSpec, LoginRequest, Page,
    RecipientResolution, Resolution, SenderResolution, Session, SessionHandle, Workloads,
};
use staffetta_message::address::{Address, Domain as DomainName};
use uuid::Uuid;

use crate::administration::Administrator;
use crate::authentication::Authenticator;
use crate::budgets::BudgetKeeper;
use crate::resolution::Resolver;

/// Everything the service is made of.
pub(crate) struct Parts {
    pub(crate) authenticator: Authenticator,
    pub(crate) resolver: Resolver,
    pub(crate) budgets: BudgetKeeper,
    pub(crate) administrator: Administrator,
}

/// Hands out views of the same parts.
pub(crate) struct Views(pub(crate) Arc<Parts>);

struct View {
    parts: Arc<Parts>,
    workload: String,
}

impl Workloads for Views {
    fn for_workload(&self, workload: &str) -> Arc<dyn Directory> {
        Arc::new(View { parts: Arc::clone(&self.0), workload: workload.to_owned() })
    }
}

#[async_trait]
impl Authentication for View {
    async fn login(&self, request: LoginRequest) -> Result<Session, DirectoryError> {
        self.parts.authenticator.login(request, &self.workload).await
    }

    async fn renew(&self, handle: &SessionHandle) -> Result<Session, DirectoryError> {
        self.parts.authenticator.renew(handle, &self.workload).await
    }

    async fn logout(&self, handle: &SessionHandle) -> Result<(), DirectoryError> {
        self.parts.authenticator.logout(handle, &self.workload).await
    }
}

#[async_trait]
impl Resolution for View {
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        self.parts.resolver.recipients(addresses).await
    }

    async fn resolve_sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError> {
        self.parts.resolver.sender(account, address).await
    }

    async fn is_local_domain(&self, domain: &DomainName) -> Result<bool, DirectoryError> {
        self.parts.resolver.is_local_domain(domain).await
    }
}

#[async_trait]
impl Budgets for View {
    async fn charge(&self, charge: &BudgetCharge) -> Result<BudgetOutcome, DirectoryError> {
        self.parts.budgets.charge(charge.clone()).await
    }

    async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError> {
        self.parts.budgets.refund(transaction).await
    }
}

impl View {
    fn admin(&self) -> &Administrator {
        &self.parts.administrator
    }

    /// After a change: who asked for it sees it at once, other pods within the cache's life.
    fn changed<T>(
        &self,
        what: &'static str,
        on: &dyn std::fmt::Display,
        answer: Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        self.parts.resolver.forget();
        match &answer {
            Ok(_) => tracing::info!(what, on = %on, workload = self.workload, "directory changed"),
            Err(error) => tracing::info!(what, on = %on, workload = self.workload, %error, "change refused"),
        }
        answer
    }
}

#[async_trait]
impl Administration for View {
    async fn list_domains(&self, page: &Page) -> Result<Vec<Domain>, DirectoryError> {
        self.admin().list_domains(page).await
    }

    async fn domain(&self, name: &DomainName) -> Result<Domain, DirectoryError> {
        self.admin().domain(name).await
    }

    async fn create_domain(&self, spec: &DomainSpec) -> Result<Domain, DirectoryError> {
        let answer = self.admin().create_domain(spec).await;
        self.changed("create domain", &spec.name, answer)
    }

    async fn set_catch_all(
        &self,
        name: &DomainName,
        target: Option<&Address>,
    ) -> Result<Domain, DirectoryError> {
        let answer = self.admin().set_catch_all(name, target).await;
        self.changed("set catch-all", name, answer)
    }

    async fn delete_domain(&self, name: &DomainName) -> Result<(), DirectoryError> {
        let answer = self.admin().delete_domain(name).await;
        self.changed("delete domain", name, answer)
    }

    async fn list_accounts(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Account>, DirectoryError> {
        self.admin().list_accounts(domain, page).await
    }

    async fn account(&self, address: &Address) -> Result<Account, DirectoryError> {
        self.admin().account(address).await
    }

    async fn create_account(&self, spec: AccountSpec) -> Result<Account, DirectoryError> {
        let address = spec.address.clone();
        let answer = self.admin().create_account(spec).await;
        self.changed("create account", &address, answer)
    }

    async fn update_account(
        &self,
        address: &Address,
        update: AccountUpdate,
    ) -> Result<Account, DirectoryError> {
        let answer = self.admin().update_account(address, update).await;
        self.changed("update account", address, answer)
    }

    async fn set_password(&self, address: &Address, password: SecretString) -> Result<(), DirectoryError> {
        let answer = self.admin().set_password(address, password).await;
        self.changed("set password", address, answer)
    }

    async fn begin_delete_account(&self, address: &Address) -> Result<Account, DirectoryError> {
        let answer = self.admin().begin_delete_account(address).await;
        self.changed("begin to delete account", address, answer)
    }

    async fn finish_delete_account(&self, account: AccountId) -> Result<(), DirectoryError> {
        let answer = self.admin().finish_delete_account(account).await;
        self.changed("finish deleting account", &account, answer)
    }

    async fn list_aliases(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Alias>, DirectoryError> {
        self.admin().list_aliases(domain, page).await
    }

    async fn put_alias(&self, alias: &AliasTarget) -> Result<Alias, DirectoryError> {
        let answer = self.admin().put_alias(alias).await;
        self.changed("put alias", &alias.address, answer)
    }

    async fn delete_alias(&self, address: &Address) -> Result<(), DirectoryError> {
        let answer = self.admin().delete_alias(address).await;
        self.changed("delete alias", address, answer)
    }
}
