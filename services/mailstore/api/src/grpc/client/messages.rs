//! [`Messages`] and [`Search`] over gRPC.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use staffetta_chassis::grpc::Channel;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::message_service_client::MessageServiceClient;
use staffetta_proto::mailstore::v1::search_service_client::SearchServiceClient;

use super::{MAX_ANSWER, MailstoreClient, Repeat, read};
use crate::grpc::convert::{
    from_copied, from_delta, from_fetched, from_runs, from_store_outcome, required, to_fetch_request, to_key,
    to_runs, to_store_request, to_uuid,
};
use crate::{
    Access, Copied, CopyRequest, ExpungeRequest, Expunged, FetchRequest, FetchedMessage, MailstoreError,
    Messages, ModSeq, Search, SearchHits, SearchRequest, StoreOutcome, StoreRequest, SyncDelta, SyncRequest,
};

#[async_trait]
impl Messages for MailstoreClient {
    async fn sync(&self, access: &Access, request: &SyncRequest) -> Result<SyncDelta, MailstoreError> {
        // A claim of \Recent that was lost with its answer would be lost for good.
        let repeat = if request.claim_recent { Repeat::Never } else { Repeat::Once };
        let request = proto::SyncMailboxRequest {
            mailbox_id: request.mailbox.0,
            since: request.since.0,
            uid_next: request.uid_next.get(),
            claim_recent: request.claim_recent,
        };
        let delta = self.unary(Some(access), repeat, request, |channel, request| async move {
            service(channel).sync_mailbox(request).await
        });
        read(required(delta.await?.delta).and_then(from_delta))
    }

    async fn fetch(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError> {
        self.streaming(
            access,
            to_fetch_request(request),
            |channel, request| async move { service(channel).fetch_messages(request).await },
            |answer: proto::FetchMessagesResponse| answer.messages.into_iter().map(from_fetched).collect(),
        )
        .await
    }

    async fn store(&self, access: &Access, request: &StoreRequest) -> Result<StoreOutcome, MailstoreError> {
        let request = to_store_request(request);
        let outcome = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).store_flags(request).await
        });
        read(from_store_outcome(outcome.await?))
    }

    async fn copy(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        let request = proto::CopyMessagesRequest {
            key: to_uuid(request.key.0),
            mailbox_id: request.mailbox.0,
            uids: to_runs(&request.uids),
            target: request.target.as_str().to_owned(),
        };
        let copied = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).copy_messages(request).await
        });
        read(from_copied(copied.await?.copied))
    }

    async fn relocate(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        let request = proto::MoveMessagesRequest {
            key: to_uuid(request.key.0),
            mailbox_id: request.mailbox.0,
            uids: to_runs(&request.uids),
            target: request.target.as_str().to_owned(),
        };
        let moved = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).move_messages(request).await
        });
        read(from_copied(moved.await?.copied))
    }

    async fn expunge(&self, access: &Access, request: &ExpungeRequest) -> Result<Expunged, MailstoreError> {
        let request = proto::ExpungeMessagesRequest {
            key: to_uuid(request.key.0),
            mailbox_id: request.mailbox.0,
            has_uids: request.uids.is_some(),
            uids: request.uids.as_ref().map(to_runs).unwrap_or_default(),
        };
        let expunged = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            service(channel).expunge_messages(request).await
        });
        let expunged = expunged.await?;
        let highest_modseq = ModSeq(expunged.highest_modseq);
        read(from_runs(&expunged.uids)).map(|uids| Expunged { uids, highest_modseq })
    }
}

#[async_trait]
impl Search for MailstoreClient {
    async fn search(&self, access: &Access, request: &SearchRequest) -> Result<SearchHits, MailstoreError> {
        request.key.check()?;
        let request = proto::SearchMessagesRequest {
            mailbox_id: request.mailbox.0,
            among: to_runs(&request.among),
            key: Some(to_key(&request.key)),
        };
        let hits = self.unary(Some(access), Repeat::Once, request, |channel, request| async move {
            let mut service = SearchServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
            service.search_messages(request).await
        });
        let hits = hits.await?;
        let highest_modseq = ModSeq(hits.highest_modseq);
        read(from_runs(&hits.uids)).map(|uids| SearchHits { uids, highest_modseq })
    }
}

fn service(channel: Channel) -> MessageServiceClient<Channel> {
    MessageServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}
