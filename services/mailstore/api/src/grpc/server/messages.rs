//! `MessageService`, `BodyService` and `SearchService`. POP3 sessions may read; everything else is for IMAP.

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_chassis::grpc::into_status;
use staffetta_directory_api::Scope;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::body_service_server::BodyService;
use staffetta_proto::mailstore::v1::message_service_server::MessageService;
use staffetta_proto::mailstore::v1::search_service_server::SearchService;
use tonic::{Request, Response, Status};

use super::{MailstoreServer, answer, malformed};
use crate::grpc::batch::batches;
use crate::grpc::convert::{
    Malformed, from_fetch_request, from_key, from_name, from_range, from_runs, from_store_request, from_uid,
    from_uuid, required, to_chunk, to_copied, to_delta, to_fetched, to_runs, to_store_outcome,
};
use crate::{
    BodyChunk, CopyRequest, ExpungeRequest, FetchedMessage, IdempotencyKey, MailboxId, ModSeq, SearchRequest,
    SyncRequest,
};

const IMAP: &[Scope] = &[Scope::Imap];
const READERS: &[Scope] = &[Scope::Imap, Scope::Pop3];

#[async_trait]
impl MessageService for MailstoreServer {
    type FetchMessagesStream = BoxStream<'static, Result<proto::FetchMessagesResponse, Status>>;

    async fn sync_mailbox(
        &self,
        request: Request<proto::SyncMailboxRequest>,
    ) -> Result<Response<proto::SyncMailboxResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = request.into_inner();
        let request = SyncRequest {
            mailbox: MailboxId(request.mailbox_id),
            since: ModSeq(request.since),
            uid_next: from_uid(request.uid_next).map_err(malformed)?,
            claim_recent: request.claim_recent,
        };
        let delta = self.store().sync(&access, &request).await;
        answer(delta.map(|delta| proto::SyncMailboxResponse { delta: Some(to_delta(delta)) }))
    }

    async fn fetch_messages(
        &self,
        request: Request<proto::FetchMessagesRequest>,
    ) -> Result<Response<Self::FetchMessagesStream>, Status> {
        let access = self.access(&request, READERS)?;
        let request = from_fetch_request(request.get_ref()).map_err(malformed)?;
        let messages = self.store().fetch(&access, &request).await.map_err(into_status)?;
        let responses = batches(messages, weight).map(|batch| {
            let messages = batch.map_err(into_status)?.into_iter().map(to_fetched).collect();
            Ok(proto::FetchMessagesResponse { messages })
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn store_flags(
        &self,
        request: Request<proto::StoreFlagsRequest>,
    ) -> Result<Response<proto::StoreFlagsResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = from_store_request(request.into_inner()).map_err(malformed)?;
        answer(self.store().store(&access, &request).await.map(|outcome| to_store_outcome(&outcome)))
    }

    async fn copy_messages(
        &self,
        request: Request<proto::CopyMessagesRequest>,
    ) -> Result<Response<proto::CopyMessagesResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let proto::CopyMessagesRequest { key, mailbox_id, uids, target } = request.into_inner();
        let request = copy_request(&key, mailbox_id, &uids, target).map_err(malformed)?;
        let copied = self.store().copy(&access, &request).await;
        answer(copied.map(|copied| proto::CopyMessagesResponse { copied: Some(to_copied(&copied)) }))
    }

    async fn move_messages(
        &self,
        request: Request<proto::MoveMessagesRequest>,
    ) -> Result<Response<proto::MoveMessagesResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let proto::MoveMessagesRequest { key, mailbox_id, uids, target } = request.into_inner();
        let request = copy_request(&key, mailbox_id, &uids, target).map_err(malformed)?;
        let moved = self.store().relocate(&access, &request).await;
        answer(moved.map(|moved| proto::MoveMessagesResponse { copied: Some(to_copied(&moved)) }))
    }

    async fn expunge_messages(
        &self,
        request: Request<proto::ExpungeMessagesRequest>,
    ) -> Result<Response<proto::ExpungeMessagesResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = expunge_request(request.get_ref()).map_err(malformed)?;
        let expunged = self.store().expunge(&access, &request).await;
        answer(expunged.map(|expunged| proto::ExpungeMessagesResponse {
            uids: to_runs(&expunged.uids),
            highest_modseq: expunged.highest_modseq.0,
        }))
    }
}

#[async_trait]
impl BodyService for MailstoreServer {
    type ReadBodiesStream = BoxStream<'static, Result<proto::ReadBodiesResponse, Status>>;

    async fn read_bodies(
        &self,
        request: Request<proto::ReadBodiesRequest>,
    ) -> Result<Response<Self::ReadBodiesStream>, Status> {
        let access = self.access(&request, READERS)?;
        let request = request.into_inner();
        let ranges =
            request.ranges.into_iter().map(from_range).collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        let chunks = self.store().read(&access, MailboxId(request.mailbox_id), &ranges).await;
        let responses =
            batches(chunks.map_err(into_status)?, |chunk: &BodyChunk| chunk.data.len()).map(|batch| {
                let chunks = batch.map_err(into_status)?.into_iter().map(to_chunk).collect();
                Ok(proto::ReadBodiesResponse { chunks })
            });
        Ok(Response::new(responses.boxed()))
    }
}

#[async_trait]
impl SearchService for MailstoreServer {
    async fn search_messages(
        &self,
        request: Request<proto::SearchMessagesRequest>,
    ) -> Result<Response<proto::SearchMessagesResponse>, Status> {
        let access = self.access(&request, IMAP)?;
        let request = search_request(request.into_inner()).map_err(malformed)?;
        request.key.check().map_err(into_status)?;
        let hits = self.store().search(&access, &request).await;
        answer(hits.map(|hits| proto::SearchMessagesResponse {
            uids: to_runs(&hits.uids),
            highest_modseq: hits.highest_modseq.0,
        }))
    }
}

/// About the octets of a message in an answer.
fn weight(message: &FetchedMessage) -> usize {
    let length = |octets: &Option<bytes::Bytes>| octets.as_ref().map_or(0, bytes::Bytes::len);
    40 + length(&message.skeleton) + length(&message.header)
}

fn copy_request(key: &[u8], mailbox: i64, uids: &[u32], target: String) -> Result<CopyRequest, Malformed> {
    Ok(CopyRequest {
        key: IdempotencyKey(from_uuid(key)?),
        mailbox: MailboxId(mailbox),
        uids: from_runs(uids)?,
        target: from_name(target)?,
    })
}

fn expunge_request(request: &proto::ExpungeMessagesRequest) -> Result<ExpungeRequest, Malformed> {
    Ok(ExpungeRequest {
        key: IdempotencyKey(from_uuid(&request.key)?),
        mailbox: MailboxId(request.mailbox_id),
        uids: request.has_uids.then(|| from_runs(&request.uids)).transpose()?,
    })
}

fn search_request(request: proto::SearchMessagesRequest) -> Result<SearchRequest, Malformed> {
    Ok(SearchRequest {
        mailbox: MailboxId(request.mailbox_id),
        among: from_runs(&request.among)?,
        key: from_key(required(request.key)?)?,
    })
}
