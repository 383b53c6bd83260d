//! [`Accounts`] over gRPC.

use async_trait::async_trait;
use staffetta_directory_api::AccountId;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::account_service_client::AccountServiceClient;

use super::{MailstoreClient, Repeat, read};
use crate::grpc::convert::{from_usage, required};
use crate::{Access, Accounts, MailstoreError, PurgeProgress, QuotaUsage};

#[async_trait]
impl Accounts for MailstoreClient {
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError> {
        let request = proto::GetQuotaUsageRequest {};
        let usage = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            AccountServiceClient::new(channel).get_quota_usage(request).await
        });
        read(required(usage.await?.usage).map(from_usage))
    }

    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError> {
        let request =
            proto::ListUsageRequest { account_ids: accounts.iter().map(|account| account.0).collect() };
        let usages = self.unary(None, Repeat::Once, request, |channel, request| async move {
            AccountServiceClient::new(channel).list_usage(request).await
        });
        let usages: Vec<_> = usages.await?.usages.into_iter().map(from_usage).collect();
        if usages.len() != accounts.len() {
            return Err(MailstoreError::Internal {
                message: "an answer for each account is missing".to_owned(),
            });
        }
        Ok(usages)
    }

    async fn purge(&self, account: AccountId) -> Result<PurgeProgress, MailstoreError> {
        let request = proto::PurgeAccountRequest { account_id: account.0 };
        // Idempotent by nature; the number of the lost answer is lost with it.
        let progress = self.unary(None, Repeat::Once, request, |channel, request| async move {
            AccountServiceClient::new(channel).purge_account(request).await
        });
        let progress = progress.await?;
        Ok(PurgeProgress { removed: progress.removed, done: progress.done })
    }
}
