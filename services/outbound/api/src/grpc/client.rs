//! A [`Queue`] on the other side of a channel.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::grpc::{Channel, from_status};
use staffetta_proto::queue::v1 as proto;
use staffetta_proto::queue::v1::queue_service_client::QueueServiceClient;

use super::convert;
use crate::{
    EnqueueRequest, Enqueued, Queue, QueueError, QueueFilter, QueueStats, QueuedMessage, TransactionId,
};

/// Calls of one enqueue, first one included.
const ATTEMPTS: u32 = 3;

/// The adapter; clones share the channel.
#[derive(Clone, Debug)]
pub struct QueueClient {
    client: QueueServiceClient<Channel>,
}

impl QueueClient {
    /// A client over `channel`.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { client: QueueServiceClient::new(channel) }
    }

    async fn enqueue_once(&self, request: &EnqueueRequest) -> Result<Enqueued, QueueError> {
        let unreadable = Arc::new(Mutex::new(None));
        let messages = messages(request, Arc::clone(&unreadable));
        let answer = self.client.clone().enqueue(messages).await;
        if let Some(message) = unreadable.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(QueueError::Unavailable { message });
        }
        let answer = answer.map_err(from_status::<QueueError>)?;
        Ok(Enqueued { fresh: answer.into_inner().fresh })
    }
}

#[async_trait]
impl Queue for QueueClient {
    /// Repeated while the queue is away: the transaction is the key. A repeated call may find its own predecessor and
    /// answer `fresh: false`.
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, QueueError> {
        let mut attempt = 0;
        loop {
            match self.enqueue_once(&request).await {
                Err(QueueError::Unavailable { message }) if attempt + 1 < ATTEMPTS => {
                    tracing::debug!(transaction = %request.transaction, message, "enqueue is repeated");
                    tokio::time::sleep(Backoff::default().delay(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError> {
        let answer = self.client.clone().list(convert::to_filter(filter)).await;
        let listed = answer.map_err(from_status::<QueueError>)?.into_inner();
        listed.messages.into_iter().map(convert::from_message).collect()
    }

    async fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
        let request = proto::ShowRequest { transaction: convert::to_transaction(transaction) };
        let answer = self.client.clone().show(request).await.map_err(from_status::<QueueError>)?;
        let message = answer.into_inner().message;
        convert::from_message(message.ok_or_else(|| convert::invalid("an answer without the message"))?)
    }

    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
        let transaction = transaction.map(convert::to_transaction).unwrap_or_default();
        let answer = self.client.clone().retry(proto::RetryRequest { transaction }).await;
        Ok(answer.map_err(from_status::<QueueError>)?.into_inner().deliveries)
    }

    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError> {
        let request = proto::CancelRequest { transaction: convert::to_transaction(transaction) };
        let answer = self.client.clone().cancel(request).await.map_err(from_status::<QueueError>)?;
        Ok(answer.into_inner().recipients)
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        let answer = self.client.clone().stats(proto::StatsRequest {}).await;
        Ok(convert::from_stats(&answer.map_err(from_status::<QueueError>)?.into_inner()))
    }
}

/// The header with the first chunk, then the others. A body that cannot be read ends the stream early, which the server
/// notices by the length, and says why in `unreadable`.
fn messages(
    request: &EnqueueRequest,
    unreadable: Arc<Mutex<Option<String>>>,
) -> impl Stream<Item = proto::EnqueueRequest> + Send + 'static {
    let mut header = Some(convert::to_header(request));
    let empty = stream::iter(request.body.is_empty().then(|| Ok(Bytes::new())));
    let chunks = empty.chain(request.body.stream());
    chunks
        .scan((), move |(), chunk| {
            let chunk = chunk.map_err(|error| {
                *unreadable.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            });
            std::future::ready(chunk.ok())
        })
        .map(move |chunk| proto::EnqueueRequest { header: header.take(), chunk })
}
