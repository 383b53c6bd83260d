//! Serves a [`Queue`]: who may, unwrap, call, convert.

use std::sync::Arc;

use staffetta_chassis::grpc::{into_status, require_workload};
use staffetta_chassis::spool::{SpoolBudget, SpoolError};
use staffetta_proto::queue::v1 as proto;
use staffetta_proto::queue::v1::queue_service_server::{QueueService, QueueServiceServer};
use tonic::{Request, Response, Status, Streaming};

use super::convert;
use crate::{EnqueueRequest, Queue, QueueError};

/// The workloads that put mail in.
pub const ENQUEUERS: &[&str] = &["smtp-ingress"];
/// The workloads that look at the queue and steer it.
pub const ADMINISTRATORS: &[&str] = &["ctl", "operator"];

/// The adapter.
pub struct QueueServer {
    queue: Arc<dyn Queue>,
    spool: SpoolBudget,
    max_size: u64,
}

impl std::fmt::Debug for QueueServer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("QueueServer").field("max_size", &self.max_size).finish_non_exhaustive()
    }
}

impl QueueServer {
    /// Serves `queue`; bodies wait in `spool` until they are complete, those beyond `max_size` octets are refused.
    #[must_use]
    pub fn service(
        queue: Arc<dyn Queue>,
        spool: SpoolBudget,
        max_size: u64,
    ) -> QueueServiceServer<impl QueueService> {
        QueueServiceServer::new(Self { queue, spool, max_size })
    }

    async fn receive(
        &self,
        mut incoming: Streaming<proto::EnqueueRequest>,
    ) -> Result<EnqueueRequest, Status> {
        let missing = || into_status(convert::invalid("the first message carries the header"));
        let first = incoming.message().await?.ok_or_else(missing)?;
        let header = first.header.ok_or_else(missing)?;
        let size = header.size;
        if size > self.max_size {
            return Err(into_status(convert::invalid("the message is too large for the queue")));
        }
        let request = convert::from_header(header).map_err(into_status)?;
        let mut writer = self.spool.writer();
        let mut chunk = first.chunk;
        loop {
            if writer.len() + chunk.len() as u64 > size {
                return Err(into_status(convert::invalid("the body is longer than announced")));
            }
            writer.write(chunk).await.map_err(no_room)?;
            match incoming.message().await? {
                None => break,
                Some(next) if next.header.is_some() => {
                    return Err(into_status(convert::invalid("a second header")));
                }
                Some(next) => chunk = next.chunk,
            }
        }
        if writer.len() != size {
            return Err(into_status(convert::invalid("the body is shorter than announced")));
        }
        let body = writer.finish().await.map_err(no_room)?;
        Ok(EnqueueRequest { body, ..request })
    }
}

#[tonic::async_trait]
impl QueueService for QueueServer {
    async fn enqueue(
        &self,
        request: Request<Streaming<proto::EnqueueRequest>>,
    ) -> Result<Response<proto::EnqueueResponse>, Status> {
        require_workload(&request, ENQUEUERS)?;
        let request = self.receive(request.into_inner()).await?;
        let enqueued = self.queue.enqueue(request).await.map_err(into_status)?;
        Ok(Response::new(proto::EnqueueResponse { fresh: enqueued.fresh }))
    }

    async fn list(
        &self,
        request: Request<proto::ListRequest>,
    ) -> Result<Response<proto::ListResponse>, Status> {
        require_workload(&request, ADMINISTRATORS)?;
        let filter = convert::from_filter(request.into_inner()).map_err(into_status)?;
        let listed = self.queue.list(&filter).await.map_err(into_status)?;
        Ok(Response::new(proto::ListResponse { messages: listed.iter().map(convert::to_message).collect() }))
    }

    async fn show(
        &self,
        request: Request<proto::ShowRequest>,
    ) -> Result<Response<proto::ShowResponse>, Status> {
        require_workload(&request, ADMINISTRATORS)?;
        let transaction =
            convert::from_transaction(&request.into_inner().transaction).map_err(into_status)?;
        let message = self.queue.show(transaction).await.map_err(into_status)?;
        Ok(Response::new(proto::ShowResponse { message: Some(convert::to_message(&message)) }))
    }

    async fn retry(
        &self,
        request: Request<proto::RetryRequest>,
    ) -> Result<Response<proto::RetryResponse>, Status> {
        require_workload(&request, ADMINISTRATORS)?;
        let transaction =
            convert::from_optional_transaction(&request.into_inner().transaction).map_err(into_status)?;
        let deliveries = self.queue.retry(transaction).await.map_err(into_status)?;
        Ok(Response::new(proto::RetryResponse { deliveries }))
    }

    async fn cancel(
        &self,
        request: Request<proto::CancelRequest>,
    ) -> Result<Response<proto::CancelResponse>, Status> {
        require_workload(&request, ADMINISTRATORS)?;
        let transaction =
            convert::from_transaction(&request.into_inner().transaction).map_err(into_status)?;
        let recipients = self.queue.cancel(transaction).await.map_err(into_status)?;
        Ok(Response::new(proto::CancelResponse { recipients }))
    }

    async fn stats(
        &self,
        request: Request<proto::StatsRequest>,
    ) -> Result<Response<proto::StatsResponse>, Status> {
        require_workload(&request, ADMINISTRATORS)?;
        let stats = self.queue.stats().await.map_err(into_status)?;
        Ok(Response::new(convert::to_stats(&stats)))
    }
}

fn no_room(error: SpoolError) -> Status {
    into_status(QueueError::Unavailable { message: error.to_string() })
}
