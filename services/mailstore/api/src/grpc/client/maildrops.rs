//! [`Maildrops`] over gRPC.

use async_trait::async_trait;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::maildrop_service_client::MaildropServiceClient;

use super::{MAX_ANSWER, MailstoreClient, Repeat, read};
use crate::grpc::convert::{from_maildrop, to_runs, to_uuid};
use crate::{Access, IdempotencyKey, Maildrop, MaildropLease, Maildrops, MailstoreError, UidSet};

#[async_trait]
impl Maildrops for MailstoreClient {
    async fn open_maildrop(&self, access: &Access) -> Result<Maildrop, MailstoreError> {
        let request = proto::OpenMaildropRequest {};
        // A lease whose answer was lost holds for its minute: a second attempt would find it in use.
        let maildrop = self.unary(Some(access), Repeat::Never, request, |channel, request| async move {
            let mut service = MaildropServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
            service.open_maildrop(request).await
        });
        read(from_maildrop(maildrop.await?))
    }

    async fn renew_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        let request = proto::RenewMaildropRequest { lease: to_uuid(lease.0) };
        // The lease is its own key: renewing twice is renewing.
        let renewed = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            MaildropServiceClient::new(channel).renew_maildrop(request).await
        });
        renewed.await.map(drop)
    }

    async fn commit_maildrop(
        &self,
        access: &Access,
        lease: &MaildropLease,
        key: IdempotencyKey,
        deleted: &UidSet,
    ) -> Result<(), MailstoreError> {
        let request = proto::CommitMaildropRequest {
            lease: to_uuid(lease.0),
            key: to_uuid(key.0),
            deleted: to_runs(deleted),
        };
        let committed = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            MaildropServiceClient::new(channel).commit_maildrop(request).await
        });
        committed.await.map(drop)
    }

    async fn release_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        let request = proto::ReleaseMaildropRequest { lease: to_uuid(lease.0) };
        // The lease is its own key here too.
        let released = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            MaildropServiceClient::new(channel).release_maildrop(request).await
        });
        released.await.map(drop)
    }
}
