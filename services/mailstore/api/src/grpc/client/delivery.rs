//! [`Delivery`] over gRPC: the first message carries the header and the first chunk, so a small mail is one message.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::stream;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use staffetta_chassis::grpc::Channel;
use staffetta_chassis::spool::Spooled;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::delivery_service_client::DeliveryServiceClient;
use tonic::{Request, Response, Status};

use super::{Bearer, MailstoreClient, Outgoing, Repeat, bearer, read, request, twice, within};
use crate::grpc::convert::{from_delivered, from_uid, to_flags, to_target, to_uuid};
use crate::{
    Access, AppendRequest, Appended, DeliverRequest, Delivered, Delivery, MailstoreError, UidValidity,
};

#[async_trait]
impl Delivery for MailstoreClient {
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError> {
        let header = proto::AppendHeader {
            key: to_uuid(request.key.0),
            mailbox: request.mailbox.into(),
            flags: Some(to_flags(&request.flags)),
            received_at_us: request.received_at.map(|time| time.timestamp_micros()),
            size: request.body.len(),
        };
        let piece = |header, chunk| proto::AppendMessageRequest { header, chunk };
        let bearer = Some(bearer(access)?);
        let appended = self.upload(&request.body, &header, bearer, piece, append).await?;
        let uid = read(from_uid(appended.uid))?;
        Ok(Appended { uid_validity: UidValidity(appended.uid_validity), uid })
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        let header = proto::DeliverHeader {
            transaction_id: to_uuid(request.transaction.0),
            targets: request.targets.iter().map(to_target).collect(),
            size: request.body.len(),
        };
        let piece = |header, chunk| proto::DeliverMessageRequest { header, chunk };
        let delivered = self.upload(&request.body, &header, None, piece, deliver).await?;
        let targets = delivered.targets.into_iter().map(from_delivered);
        Ok(Delivered { stored: read(targets.collect())? })
    }
}

/// What one attempt of an upload answers.
type Attempt<A> = BoxFuture<'static, Result<Response<A>, Status>>;

fn append(
    channel: Channel,
    pieces: Request<Outgoing<proto::AppendMessageRequest>>,
) -> Attempt<proto::AppendMessageResponse> {
    async move { DeliveryServiceClient::new(channel).append_message(pieces).await }.boxed()
}

fn deliver(
    channel: Channel,
    pieces: Request<Outgoing<proto::DeliverMessageRequest>>,
) -> Attempt<proto::DeliverMessageResponse> {
    async move { DeliveryServiceClient::new(channel).deliver_message(pieces).await }.boxed()
}

impl MailstoreClient {
    /// Sends `header` and `body`; both are sent again when the call is repeated.
    async fn upload<H, P, A>(
        &self,
        body: &Spooled,
        header: &H,
        bearer: Option<Bearer>,
        piece: impl Fn(Option<H>, Bytes) -> P + Copy + Send + Sync + 'static,
        call: fn(Channel, Request<Outgoing<P>>) -> Attempt<A>,
    ) -> Result<A, MailstoreError>
    where
        H: Clone + Send + Sync + 'static,
        P: Send + 'static,
    {
        let limit = self.timeouts.upload;
        let broken: Broken = Broken::default();
        let attempts = async {
            let attempt = || {
                let pieces = pieces(body.stream(), header.clone(), piece, broken.clone());
                call(self.channel.clone(), request(pieces, Some(limit), bearer.clone()))
            };
            twice(Repeat::Once, attempt).await.map(Response::into_inner)
        };
        let result = within(limit, attempts).await;
        // The server saw a body that was too short; the reason is here.
        match broken.take() {
            Some(error) => Err(MailstoreError::Unavailable { message: format!("spool: {error}") }),
            None => result,
        }
    }
}

/// Why a body could not be read to its end.
#[derive(Clone, Default)]
struct Broken(Arc<Mutex<Option<io::Error>>>);

impl Broken {
    fn put(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn pieces<H: Send + 'static, P: Send + 'static>(
    mut chunks: BoxStream<'static, io::Result<Bytes>>,
    header: H,
    piece: impl Fn(Option<H>, Bytes) -> P + Send + 'static,
    broken: Broken,
) -> Outgoing<P> {
    let pieces = stream! {
        let mut header = Some(header);
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => yield piece(header.take(), chunk),
                Err(error) => {
                    broken.put(error);
                    return;
                }
            }
        }
        // A message without octets still has its header.
        if header.is_some() {
            yield piece(header.take(), Bytes::new());
        }
    };
    Outgoing(pieces.boxed())
}
