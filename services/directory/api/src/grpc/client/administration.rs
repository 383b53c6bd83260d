use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use staffetta_message::address::{Address, Domain as DomainName};
use staffetta_proto::directory::v1 as wire;

use super::{DirectoryClient, once};
use crate::grpc::convert;
use crate::{
    Account, AccountId, AccountSpec, AccountUpdate, Administration, Alias, AliasTarget, DirectoryError,
    Domain, DomainSpec, Page,
};

/// People repeat their commands themselves.
#[async_trait]
impl Administration for DirectoryClient {
    async fn list_domains(&self, page: &Page) -> Result<Vec<Domain>, DirectoryError> {
        let request = wire::ListDomainsRequest { page: Some(page.into()) };
        let answer = once(self.administration.clone().list_domains(request)).await?;
        answer.domains.into_iter().map(|domain| convert::domain(Some(domain))).collect()
    }

    async fn domain(&self, name: &DomainName) -> Result<Domain, DirectoryError> {
        let request = wire::GetDomainRequest { name: name.to_string() };
        convert::domain(once(self.administration.clone().get_domain(request)).await?.domain)
    }

    async fn create_domain(&self, spec: &DomainSpec) -> Result<Domain, DirectoryError> {
        let request = wire::CreateDomainRequest { name: spec.name.to_string() };
        convert::domain(once(self.administration.clone().create_domain(request)).await?.domain)
    }

    async fn set_catch_all(
        &self,
        name: &DomainName,
        target: Option<&Address>,
    ) -> Result<Domain, DirectoryError> {
        let request =
            wire::SetCatchAllRequest { name: name.to_string(), target: target.map(ToString::to_string) };
        convert::domain(once(self.administration.clone().set_catch_all(request)).await?.domain)
    }

    async fn delete_domain(&self, name: &DomainName) -> Result<(), DirectoryError> {
        let request = wire::DeleteDomainRequest { name: name.to_string() };
        once(self.administration.clone().delete_domain(request)).await.map(|_| ())
    }

    async fn list_accounts(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Account>, DirectoryError> {
        let request =
            wire::ListAccountsRequest { domain: domain.map(ToString::to_string), page: Some(page.into()) };
        let answer = once(self.administration.clone().list_accounts(request)).await?;
        answer.accounts.into_iter().map(|account| convert::account(Some(account))).collect()
    }

    async fn account(&self, address: &Address) -> Result<Account, DirectoryError> {
        let request = wire::GetAccountRequest { address: address.to_string() };
        convert::account(once(self.administration.clone().get_account(request)).await?.account)
    }

    async fn create_account(&self, spec: AccountSpec) -> Result<Account, DirectoryError> {
        let request = wire::CreateAccountRequest {
            address: spec.address.to_string(),
            password: spec.password.expose_secret().to_owned(),
            quota: spec.quota.map(wire::Quota::from),
            budget: spec.budget.map(wire::SendingBudget::from),
            shard: spec.shard.map(|shard| shard.0),
        };
        convert::account(once(self.administration.clone().create_account(request)).await?.account)
    }

    async fn update_account(
        &self,
        address: &Address,
        update: AccountUpdate,
    ) -> Result<Account, DirectoryError> {
        let budget = |budget: Option<_>| wire::BudgetUpdate { budget: budget.map(wire::SendingBudget::from) };
        let request = wire::UpdateAccountRequest {
            address: address.to_string(),
            state: update.state.map(convert::state_code).unwrap_or_default(),
            quota: update.quota.map(wire::Quota::from),
            budget: update.budget.map(budget),
        };
        convert::account(once(self.administration.clone().update_account(request)).await?.account)
    }

    async fn set_password(&self, address: &Address, password: SecretString) -> Result<(), DirectoryError> {
        let password = password.expose_secret().to_owned();
        let request = wire::SetPasswordRequest { address: address.to_string(), password };
        once(self.administration.clone().set_password(request)).await.map(|_| ())
    }

    async fn begin_delete_account(&self, address: &Address) -> Result<Account, DirectoryError> {
        let request = wire::BeginDeleteAccountRequest { address: address.to_string() };
        convert::account(once(self.administration.clone().begin_delete_account(request)).await?.account)
    }

    async fn finish_delete_account(&self, account: AccountId) -> Result<(), DirectoryError> {
        let request = wire::FinishDeleteAccountRequest { account_id: account.0 };
        once(self.administration.clone().finish_delete_account(request)).await.map(|_| ())
    }

    async fn list_aliases(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Alias>, DirectoryError> {
        let request =
            wire::ListAliasesRequest { domain: domain.map(ToString::to_string), page: Some(page.into()) };
        let answer = once(self.administration.clone().list_aliases(request)).await?;
        answer.aliases.into_iter().map(|alias| convert::alias(Some(alias))).collect()
    }

    async fn put_alias(&self, alias: &AliasTarget) -> Result<Alias, DirectoryError> {
        let request = wire::PutAliasRequest {
            address: alias.address.to_string(),
            targets: convert::texts(&alias.targets),
        };
        convert::alias(once(self.administration.clone().put_alias(request)).await?.alias)
    }

    async fn delete_alias(&self, address: &Address) -> Result<(), DirectoryError> {
        let request = wire::DeleteAliasRequest { address: address.to_string() };
        once(self.administration.clone().delete_alias(request)).await.map(|_| ())
    }
}
