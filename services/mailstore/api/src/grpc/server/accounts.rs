//! `AccountService`.

use async_trait::async_trait;
use staffetta_chassis::grpc::require_workload;
use staffetta_directory_api::{AccountId, Scope};
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

use super::{MailstoreServer, answer, malformed};
use crate::grpc::convert::{Malformed, to_usage};

/// Most accounts of one question.
const MAX_ACCOUNTS: usize = 1000;

#[async_trait]
impl AccountService for MailstoreServer {
    async fn get_quota_usage(
        &self,
        request: Request<proto::GetQuotaUsageRequest>,
    ) -> Result<Response<proto::GetQuotaUsageResponse>, Status> {
        let access = self.access(&request, &[Scope::Imap, Scope::Pop3])?;
        let usage = self.store().quota_usage(&access).await;
        answer(usage.map(|usage| proto::GetQuotaUsageResponse { usage: Some(to_usage(&usage)) }))
    }

    async fn list_usage(
        &self,
        request: Request<proto::ListUsageRequest>,
    ) -> Result<Response<proto::ListUsageResponse>, Status> {
        require_workload(&request, &["smtp-ingress", "ctl"])?;
        let accounts: Vec<_> = request.into_inner().account_ids.into_iter().map(AccountId).collect();
        if accounts.len() > MAX_ACCOUNTS {
            return Err(malformed(Malformed("too many accounts in one question")));
        }
        let usages = self.store().usage(&accounts).await;
        answer(
            usages.map(|usages| proto::ListUsageResponse { usages: usages.iter().map(to_usage).collect() }),
        )
    }

    async fn purge_account(
        &self,
        request: Request<proto::PurgeAccountRequest>,
    ) -> Result<Response<proto::PurgeAccountResponse>, Status> {
        require_workload(&request, &["ctl", "operator"])?;
        let progress = self.store().purge(AccountId(request.get_ref().account_id)).await;
        answer(
            progress.map(|progress| proto::PurgeAccountResponse {
                removed: progress.removed,
                done: progress.done,
            }),
        )
    }
}
