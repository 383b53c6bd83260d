//! [`Bodies`] over gRPC.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::body_service_client::BodyServiceClient;

use super::MailstoreClient;
use crate::grpc::convert::{from_chunk, to_range};
use crate::{Access, Bodies, BodyChunk, BodyRange, MailboxId, MailstoreError};

#[async_trait]
impl Bodies for MailstoreClient {
    async fn read(
        &self,
        access: &Access,
        mailbox: MailboxId,
        ranges: &[BodyRange],
    ) -> Result<BoxStream<'static, Result<BodyChunk, MailstoreError>>, MailstoreError> {
        let request =
            proto::ReadBodiesRequest { mailbox_id: mailbox.0, ranges: ranges.iter().map(to_range).collect() };
        self.streaming(
            access,
            request,
            |channel, request| async move { BodyServiceClient::new(channel).read_bodies(request).await },
            |answer: proto::ReadBodiesResponse| Ok(answer.chunks.into_iter().map(from_chunk).collect()),
        )
        .await
    }
}
