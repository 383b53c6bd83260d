use async_trait::async_trait;
use staffetta_message::address::{Address, Domain};
use staffetta_proto::directory::v1 as wire;

use super::{DirectoryClient, twice};
use crate::grpc::convert;
use crate::{AccountId, DirectoryError, RecipientResolution, Resolution, SenderResolution};

#[async_trait]
impl Resolution for DirectoryClient {
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        let request = wire::ResolveRecipientsRequest { addresses: convert::texts(addresses) };
        let call = || {
            let (mut client, request) = (self.resolution.clone(), request.clone());
            async move { client.resolve_recipients(request).await }
        };
        let answers = twice(call).await?.resolutions;
        if answers.len() != addresses.len() {
            let message = format!("{} answers to {} addresses", answers.len(), addresses.len());
            return Err(DirectoryError::Internal { message });
        }
        answers.into_iter().map(convert::resolution).collect()
    }

    async fn resolve_sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError> {
        let request = wire::ResolveSenderRequest { account_id: account.0, address: address.to_string() };
        let call = || {
            let (mut client, request) = (self.resolution.clone(), request.clone());
            async move { client.resolve_sender(request).await }
        };
        let permitted = twice(call).await?.permitted;
        Ok(if permitted { SenderResolution::Permitted } else { SenderResolution::Denied })
    }

    async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        let request = wire::IsLocalDomainRequest { domain: domain.to_string() };
        let call = || {
            let (mut client, request) = (self.resolution.clone(), request.clone());
            async move { client.is_local_domain(request).await }
        };
        Ok(twice(call).await?.local)
    }
}
