use async_trait::async_trait;
use staffetta_proto::directory::v1 as wire;
use staffetta_proto::directory::v1::resolution_service_server::ResolutionService;
use tonic::{Request, Response, Status};

use super::{DirectoryServer, MAIL_HANDLERS, reply, take};
use crate::grpc::convert;
use crate::{AccountId, SenderResolution};

#[async_trait]
impl ResolutionService for DirectoryServer {
    async fn resolve_recipients(
        &self,
        request: Request<wire::ResolveRecipientsRequest>,
    ) -> Result<Response<wire::ResolveRecipientsResponse>, Status> {
        let (directory, request) = self.admit(request, MAIL_HANDLERS)?;
        let addresses = take(convert::addresses(&request.addresses))?;
        let answer = directory.resolve_recipients(&addresses).await;
        reply(answer, |resolutions| wire::ResolveRecipientsResponse {
            resolutions: resolutions.into_iter().map(wire::RecipientResolution::from).collect(),
        })
    }

    async fn resolve_sender(
        &self,
        request: Request<wire::ResolveSenderRequest>,
    ) -> Result<Response<wire::ResolveSenderResponse>, Status> {
        let (directory, request) = self.admit(request, MAIL_HANDLERS)?;
        let address = take(convert::address(&request.address))?;
        let answer = directory.resolve_sender(AccountId(request.account_id), &address).await;
        reply(answer, |answer| wire::ResolveSenderResponse {
            permitted: answer == SenderResolution::Permitted,
        })
    }

    async fn is_local_domain(
        &self,
        request: Request<wire::IsLocalDomainRequest>,
    ) -> Result<Response<wire::IsLocalDomainResponse>, Status> {
        let (directory, request) = self.admit(request, MAIL_HANDLERS)?;
        let domain = take(convert::domain_name(&request.domain))?;
        reply(directory.is_local_domain(&domain).await, |local| wire::IsLocalDomainResponse { local })
    }
}
