use async_trait::async_trait;
use secrecy::SecretString;
use staffetta_proto::directory::v1 as wire;
use staffetta_proto::directory::v1::administration_service_server::AdministrationService;
use tonic::{Request, Response, Status};

use super::{ADMINISTRATORS, DirectoryServer, reply, take};
use crate::grpc::convert;
use crate::{
    AccountId, AccountSpec, AccountUpdate, AliasTarget, DomainSpec, Quota, SendingBudget, ShardName,
};

#[async_trait]
impl AdministrationService for DirectoryServer {
    async fn list_domains(
        &self,
        request: Request<wire::ListDomainsRequest>,
    ) -> Result<Response<wire::ListDomainsResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        reply(directory.list_domains(&convert::page(request.page)).await, |domains| {
            wire::ListDomainsResponse { domains: domains.into_iter().map(wire::Domain::from).collect() }
        })
    }

    async fn get_domain(
        &self,
        request: Request<wire::GetDomainRequest>,
    ) -> Result<Response<wire::GetDomainResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let name = take(convert::domain_name(&request.name))?;
        reply(directory.domain(&name).await, |domain| wire::GetDomainResponse { domain: Some(domain.into()) })
    }

    async fn create_domain(
        &self,
        request: Request<wire::CreateDomainRequest>,
    ) -> Result<Response<wire::CreateDomainResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let spec = DomainSpec { name: take(convert::domain_name(&request.name))? };
        let answer = directory.create_domain(&spec).await;
        reply(answer, |domain| wire::CreateDomainResponse { domain: Some(domain.into()) })
    }

    async fn set_catch_all(
        &self,
        request: Request<wire::SetCatchAllRequest>,
    ) -> Result<Response<wire::SetCatchAllResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let name = take(convert::domain_name(&request.name))?;
        let target = take(request.target.as_deref().map(convert::address).transpose())?;
        let answer = directory.set_catch_all(&name, target.as_ref()).await;
        reply(answer, |domain| wire::SetCatchAllResponse { domain: Some(domain.into()) })
    }

    async fn delete_domain(
        &self,
        request: Request<wire::DeleteDomainRequest>,
    ) -> Result<Response<wire::DeleteDomainResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let name = take(convert::domain_name(&request.name))?;
        reply(directory.delete_domain(&name).await, |()| wire::DeleteDomainResponse {})
    }

    async fn list_accounts(
        &self,
        request: Request<wire::ListAccountsRequest>,
    ) -> Result<Response<wire::ListAccountsResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let domain = take(request.domain.as_deref().map(convert::domain_name).transpose())?;
        let answer = directory.list_accounts(domain.as_ref(), &convert::page(request.page)).await;
        reply(answer, |accounts| wire::ListAccountsResponse {
            accounts: accounts.into_iter().map(wire::Account::from).collect(),
        })
    }

    async fn get_account(
        &self,
        request: Request<wire::GetAccountRequest>,
    ) -> Result<Response<wire::GetAccountResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let address = take(convert::address(&request.address))?;
        let answer = directory.account(&address).await;
        reply(answer, |account| wire::GetAccountResponse { account: Some(account.into()) })
    }

    async fn create_account(
        &self,
        request: Request<wire::CreateAccountRequest>,
    ) -> Result<Response<wire::CreateAccountResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let spec = AccountSpec {
            address: take(convert::address(&request.address))?,
            password: SecretString::from(request.password),
            quota: request.quota.map(Quota::from),
            budget: request.budget.map(SendingBudget::from),
            shard: request.shard.map(ShardName),
        };
        let answer = directory.create_account(spec).await;
        reply(answer, |account| wire::CreateAccountResponse { account: Some(account.into()) })
    }

    async fn update_account(
        &self,
        request: Request<wire::UpdateAccountRequest>,
    ) -> Result<Response<wire::UpdateAccountResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let address = take(convert::address(&request.address))?;
        let update = AccountUpdate {
            state: take(convert::state(request.state))?,
            quota: request.quota.map(Quota::from),
            budget: request.budget.map(|update| update.budget.map(SendingBudget::from)),
        };
        let answer = directory.update_account(&address, update).await;
        reply(answer, |account| wire::UpdateAccountResponse { account: Some(account.into()) })
    }

    async fn set_password(
        &self,
        request: Request<wire::SetPasswordRequest>,
    ) -> Result<Response<wire::SetPasswordResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let address = take(convert::address(&request.address))?;
        let answer = directory.set_password(&address, SecretString::from(request.password)).await;
        reply(answer, |()| wire::SetPasswordResponse {})
    }

    async fn begin_delete_account(
        &self,
        request: Request<wire::BeginDeleteAccountRequest>,
    ) -> Result<Response<wire::BeginDeleteAccountResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let address = take(convert::address(&request.address))?;
        let answer = directory.begin_delete_account(&address).await;
        reply(answer, |account| wire::BeginDeleteAccountResponse { account: Some(account.into()) })
    }

    async fn finish_delete_account(
        &self,
        request: Request<wire::FinishDeleteAccountRequest>,
    ) -> Result<Response<wire::FinishDeleteAccountResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let answer = directory.finish_delete_account(AccountId(request.account_id)).await;
        reply(answer, |()| wire::FinishDeleteAccountResponse {})
    }

    async fn list_aliases(
        &self,
        request: Request<wire::ListAliasesRequest>,
    ) -> Result<Response<wire::ListAliasesResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let domain = take(request.domain.as_deref().map(convert::domain_name).transpose())?;
        let answer = directory.list_aliases(domain.as_ref(), &convert::page(request.page)).await;
        reply(answer, |aliases| wire::ListAliasesResponse {
            aliases: aliases.into_iter().map(wire::Alias::from).collect(),
        })
    }

    async fn put_alias(
        &self,
        request: Request<wire::PutAliasRequest>,
    ) -> Result<Response<wire::PutAliasResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let alias = AliasTarget {
            address: take(convert::address(&request.address))?,
            targets: take(convert::addresses(&request.targets))?,
        };
        reply(directory.put_alias(&alias).await, |alias| wire::PutAliasResponse { alias: Some(alias.into()) })
    }

    async fn delete_alias(
        &self,
        request: Request<wire::DeleteAliasRequest>,
    ) -> Result<Response<wire::DeleteAliasResponse>, Status> {
        let (directory, request) = self.admit(request, ADMINISTRATORS)?;
        let address = take(convert::address(&request.address))?;
        reply(directory.delete_alias(&address).await, |()| wire::DeleteAliasResponse {})
    }
}
