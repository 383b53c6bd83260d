use std::time::Duration;

use async_trait::async_trait;
use staffetta_proto::directory::v1 as wire;
use uuid::Uuid;

use super::{DirectoryClient, twice};
use crate::grpc::convert;
use crate::{BudgetCharge, BudgetOutcome, Budgets, DirectoryError};

#[async_trait]
impl Budgets for DirectoryClient {
    async fn charge(&self, charge: &BudgetCharge) -> Result<BudgetOutcome, DirectoryError> {
        let request = wire::ChargeRequest {
            transaction_id: convert::transaction_octets(charge.transaction),
            account_id: charge.account.0,
            sender: charge.sender.as_ref().map(ToString::to_string),
            recipients: charge.recipients,
        };
        let call = || {
            let (mut client, request) = (self.budgets.clone(), request.clone());
            async move { client.charge(request).await }
        };
        Ok(match twice(call).await?.exceeded {
            None => BudgetOutcome::Charged,
            Some(exceeded) => BudgetOutcome::Exceeded {
                reason: exceeded.reason,
                retry_after: Duration::from_millis(exceeded.retry_after_millis),
            },
        })
    }

    async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError> {
        let request = wire::RefundRequest { transaction_id: convert::transaction_octets(transaction) };
        let call = || {
            let (mut client, request) = (self.budgets.clone(), request.clone());
            async move { client.refund(request).await }
        };
        twice(call).await.map(|_| ())
    }
}
