//! `DeliveryService`: the body is collected whole, then the port is called.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use staffetta_chassis::grpc::{into_status, require_workload};
use staffetta_chassis::spool::{SpoolError, Spooled};
use staffetta_directory_api::Scope;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::delivery_service_server::DeliveryService;
use tonic::{Request, Response, Status, Streaming};

use super::{MailstoreServer, answer, malformed};
use crate::grpc::convert::{
    Malformed, from_flags, from_name, from_target, from_time, from_uuid, required, to_delivered,
};
use crate::{
    AppendRequest, DeliverRequest, DeliveryTarget, IdempotencyKey, MailstoreError, Refusal, RefusalReason,
    TransactionId,
};

/// They bring mail; nobody else does.
const CARRIERS: &[&str] = &["smtp-ingress", "outbound"];

#[async_trait]
impl DeliveryService for MailstoreServer {
    async fn append_message(
        &self,
        request: Request<Streaming<proto::AppendMessageRequest>>,
    ) -> Result<Response<proto::AppendMessageResponse>, Status> {
        let access = self.access(&request, &[Scope::Imap])?;
        let mut pieces = request.into_inner();
        let first = required(pieces.message().await?).map_err(malformed)?;
        let header = required(first.header).map_err(malformed)?;
        let limit = self.parts.max_message_size;
        if header.size > limit {
            return Err(into_status(MailstoreError::Limit { message: format!("at most {limit} octets") }));
        }
        let rest = pieces.map(|piece| piece.map(|piece| piece.chunk));
        let body = self.collect(header.size, first.chunk, rest).await?;
        let request = append_request(header, body).map_err(malformed)?;
        let appended = self.store().append(&access, request).await;
        answer(appended.map(|appended| proto::AppendMessageResponse {
            uid_validity: appended.uid_validity.0,
            uid: appended.uid.get(),
        }))
    }

    async fn deliver_message(
        &self,
        request: Request<Streaming<proto::DeliverMessageRequest>>,
    ) -> Result<Response<proto::DeliverMessageResponse>, Status> {
        require_workload(&request, CARRIERS)?;
        let mut pieces = request.into_inner();
        let first = required(pieces.message().await?).map_err(malformed)?;
        let header = required(first.header).map_err(malformed)?;
        let transaction = TransactionId(from_uuid(&header.transaction_id).map_err(malformed)?);
        let targets: Vec<_> = header.targets.into_iter().map(from_target).collect();
        if header.size > self.parts.max_message_size {
            return Err(into_status(too_large(&targets)));
        }
        let rest = pieces.map(|piece| piece.map(|piece| piece.chunk));
        let body = self.collect(header.size, first.chunk, rest).await?;
        let delivered = self.store().deliver(DeliverRequest { transaction, targets, body }).await;
        answer(delivered.map(|delivered| proto::DeliverMessageResponse {
            targets:
                delivered.stored.into_iter().map(|(account, stored)| to_delivered(account, stored)).collect(),
        }))
    }
}

impl MailstoreServer {
    /// The body, exactly as long as announced.
    async fn collect(
        &self,
        size: u64,
        first: Bytes,
        mut rest: impl Stream<Item = Result<Bytes, Status>> + Unpin,
    ) -> Result<Spooled, Status> {
        let mut writer = self.parts.spool.writer();
        let mut next = Some(first);
        while let Some(chunk) = next {
            if writer.len() + chunk.len() as u64 > size {
                return Err(malformed(Malformed("the body is longer than announced")));
            }
            writer.write(chunk).await.map_err(spool_failed)?;
            next = rest.next().await.transpose()?;
        }
        if writer.len() != size {
            return Err(malformed(Malformed("the body is shorter than announced")));
        }
        writer.finish().await.map_err(spool_failed)
    }
}

fn append_request(header: proto::AppendHeader, body: Spooled) -> Result<AppendRequest, Malformed> {
    Ok(AppendRequest {
        key: IdempotencyKey(from_uuid(&header.key)?),
        mailbox: from_name(header.mailbox)?,
        flags: from_flags(header.flags)?,
        received_at: header.received_at_us.map(from_time).transpose()?,
        body,
    })
}

fn too_large(targets: &[DeliveryTarget]) -> MailstoreError {
    let refusal =
        |target: &DeliveryTarget| Refusal { account: target.account, reason: RefusalReason::TooLarge };
    MailstoreError::Refused { refusals: targets.iter().map(refusal).collect() }
}

fn spool_failed(error: SpoolError) -> Status {
    into_status(MailstoreError::Unavailable { message: error.to_string() })
}
