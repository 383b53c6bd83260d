use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use staffetta_chassis::clock::Manual;
use staffetta_chassis::config::Secret;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::tasks::Tasks;
use staffetta_message::address::Address;
use tonic::service::Routes;
use uuid::Uuid;

use super::{QueueClient, QueueServer};
use crate::contract::{Subject, suite};
use crate::{EnqueueRequest, MemoryQueue, Queue, QueueError, QueueFilter, Schedule, TransactionId};

/// The fake behind a real server on a loopback port.
struct Remote {
    fake: Arc<MemoryQueue>,
    clock: Manual,
    queue: Split,
    context: Context,
    target: String,
    _drain: Drain,
    _tasks: Tasks,
}

/// Calls each rpc as a workload that may.
struct Split {
    ingress: QueueClient,
    ctl: QueueClient,
}

impl Remote {
    async fn start() -> Self {
        let clock = Manual::at_unix(1_795_000_000);
        let fake = Arc::new(MemoryQueue::new(Arc::new(clock.clone())));
        let (context, drain, tasks) = (Context::for_tests(), Drain::new(), Tasks::new());
        let config = GrpcServerConfig::on("127.0.0.1:0".parse().unwrap(), Secret::new("key"));
        let server = GrpcServer::bind("grpc", &config, &context, &tasks).unwrap();
        let target = format!("http://{}", server.address());
        let spool = SpoolBudget::new(&SpoolConfig::default());
        let routes = Routes::new(QueueServer::service(fake.clone(), spool, 10 << 20));
        server.serve(routes, staffetta_proto::FILE_DESCRIPTOR_SET, drain.watch()).await.unwrap();
        let queue = Split {
            ingress: client(&target, "smtp-ingress", &context),
            ctl: client(&target, "ctl", &context),
        };
        Self { fake, clock, queue, context, target, _drain: drain, _tasks: tasks }
    }

    fn client(&self, workload: &str) -> QueueClient {
        client(&self.target, workload, &self.context)
    }
}

fn client(target: &str, workload: &str, context: &Context) -> QueueClient {
    let config = GrpcClientConfig::to(target, Secret::new("key"));
    QueueClient::new(Channel::connect(&config, workload, context).unwrap())
}

#[async_trait]
impl Queue for Split {
    async fn enqueue(&self, request: EnqueueRequest) -> Result<crate::Enqueued, QueueError> {
        self.ingress.enqueue(request).await
    }
    async fn list(&self, filter: &QueueFilter) -> Result<Vec<crate::QueuedMessage>, QueueError> {
        self.ctl.list(filter).await
    }
    async fn show(&self, transaction: TransactionId) -> Result<crate::QueuedMessage, QueueError> {
        self.ctl.show(transaction).await
    }
    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
        self.ctl.retry(transaction).await
    }
    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError> {
        self.ctl.cancel(transaction).await
    }
    async fn stats(&self) -> Result<crate::QueueStats, QueueError> {
        self.ctl.stats().await
    }
}

#[async_trait]
impl Subject for Remote {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }
    fn schedule(&self) -> &dyn Schedule {
        &*self.fake
    }
    async fn elapse(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

fn message() -> EnqueueRequest {
    EnqueueRequest {
        transaction: TransactionId(Uuid::now_v7()),
        sender: None,
        recipients: vec![Address::parse("b@south.test").unwrap()],
        eight_bit: false,
        received_at: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        traceparent: None,
        body: Bytes::from_static(b"\r\n").into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_holds_through_grpc() {
    suite(Remote::start).await;
}

#[tokio::test]
async fn workloads_call_only_what_is_theirs() {
    let remote = Remote::start().await;
    let denied = |error: Option<QueueError>| matches!(error, Some(QueueError::PermissionDenied { .. }));
    assert!(denied(remote.client("ctl").enqueue(message()).await.err()));
    assert!(denied(remote.client("smtp-ingress").stats().await.err()));
    assert!(denied(remote.client("imap-gateway").cancel(message().transaction).await.err()));
    assert!(remote.client("operator").stats().await.is_ok());
}

#[tokio::test]
async fn body_beyond_the_limit_is_refused() {
    let remote = Remote::start().await;
    let large = EnqueueRequest { body: Bytes::from(vec![b'x'; (10 << 20) + 1]).into(), ..message() };
    let answer = remote.client("smtp-ingress").enqueue(large).await;
    assert!(matches!(answer, Err(QueueError::Invalid { .. })), "{answer:?}");
    let empty = EnqueueRequest { body: Bytes::new().into(), ..message() };
    assert!(remote.client("smtp-ingress").enqueue(empty).await.unwrap().fresh);
}
