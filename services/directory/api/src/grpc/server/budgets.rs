use async_trait::async_trait;
use staffetta_proto::directory::v1 as wire;
use staffetta_proto::directory::v1::budget_service_server::BudgetService;
use tonic::{Request, Response, Status};

use super::{DirectoryServer, SUBMISSION, reply, take};
use crate::grpc::convert;
use crate::{AccountId, BudgetCharge, BudgetOutcome};

#[async_trait]
impl BudgetService for DirectoryServer {
    async fn charge(
        &self,
        request: Request<wire::ChargeRequest>,
    ) -> Result<Response<wire::ChargeResponse>, Status> {
        let (directory, request) = self.admit(request, SUBMISSION)?;
        let charge = BudgetCharge {
            transaction: take(convert::transaction(&request.transaction_id))?,
            account: AccountId(request.account_id),
            sender: take(request.sender.as_deref().map(convert::address).transpose())?,
            recipients: request.recipients,
        };
        reply(directory.charge(&charge).await, |outcome| match outcome {
            BudgetOutcome::Charged => wire::ChargeResponse { exceeded: None },
            BudgetOutcome::Exceeded { reason, retry_after } => {
                let retry_after_millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                wire::ChargeResponse { exceeded: Some(wire::BudgetExceeded { reason, retry_after_millis }) }
            }
        })
    }

    async fn refund(
        &self,
        request: Request<wire::RefundRequest>,
    ) -> Result<Response<wire::RefundResponse>, Status> {
        let (directory, request) = self.admit(request, SUBMISSION)?;
        let transaction = take(convert::transaction(&request.transaction_id))?;
        reply(directory.refund(transaction).await, |()| wire::RefundResponse {})
    }
}
