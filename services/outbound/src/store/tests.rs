//! The contract on a real PostgreSQL, and what only this implementation promises.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use staffetta_chassis::clock::{Clock, System};
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::testing::TestDatabase;
use staffetta_message::address::Address;
use staffetta_outbound_api::contract::{Subject, suite};
use staffetta_outbound_api::{
    ClaimRequest, EnqueueRequest, Queue, QueueError, RecipientResult, RemoteReply, Schedule, Settlement,
    TransactionId, Verdict,
};
use staffetta_packs::store::fault::{Fault, Faulty, Operation};
use staffetta_packs::store::memory::MemoryStore;
use staffetta_packs::{PackConfig, Prefix, WriterId};
use uuid::Uuid;

use super::{PostgresQueue, Storage};

const LIFETIME: Duration = Duration::from_secs(5 * 86_400);

struct Real {
    queue: PostgresQueue,
    store: Arc<Faulty>,
    pool: Pool,
}

impl Real {
    async fn start() -> Self {
        Self::on(&TestDatabase::create().await, Arc::new(Faulty::new(Arc::new(MemoryStore::default())))).await
    }

    /// One more pod on the same database and store.
    async fn on(database: &TestDatabase, store: Arc<Faulty>) -> Self {
        let pool = Pool::connect(&database.config(), "queue", &Context::for_tests()).await.unwrap();
        let storage = Storage {
            store: store.clone(),
            prefix: Prefix::new("queue"),
            writer: WriterId::new("test"),
            packs: PackConfig::default(),
            in_flight: 1,
            spool: SpoolBudget::new(&SpoolConfig::default()),
        };
        let clock: Arc<dyn Clock> = Arc::new(System);
        let (queue, _) = PostgresQueue::start(pool.clone(), storage, clock, LIFETIME).await.unwrap();
        Self { queue, store, pool }
    }
}

#[async_trait]
impl Subject for Real {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    fn schedule(&self) -> &dyn Schedule {
        &self.queue
    }

    /// Time cannot be moved on, so everything that was planned or happened moves back.
    async fn elapse(&self, duration: Duration) {
        let shift = "
            WITH q AS (UPDATE queued SET queued_at = queued_at - i, finished_at = finished_at - i
                       FROM (SELECT make_interval(secs => $1) AS i) AS by),
                 p AS (UPDATE destination SET due_at = due_at - i, suspended_until = suspended_until - i,
                                              served_at = served_at - i
                       FROM (SELECT make_interval(secs => $1) AS i) AS by)
            UPDATE delivery SET next_attempt_at = next_attempt_at - i, lease_until = lease_until - i
            FROM (SELECT make_interval(secs => $1) AS i) AS by";
        sqlx::query(shift).bind(duration.as_secs_f64()).execute(self.pool.inner()).await.unwrap();
    }
}

fn message(recipient: &str) -> EnqueueRequest {
    EnqueueRequest {
        transaction: TransactionId(Uuid::now_v7()),
        sender: Some(Address::parse("a@north.test").unwrap()),
        recipients: vec![Address::parse(recipient).unwrap()],
        eight_bit: false,
        received_at: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        traceparent: None,
        body: Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n").into(),
    }
}

fn worker(limit: u32) -> ClaimRequest {
    let lease = Duration::from_secs(60);
    ClaimRequest { worker: "w".to_owned(), limit, per_destination: 100, lease }
}

fn settlement(delivery: &staffetta_outbound_api::ClaimedDelivery, verdict: Verdict) -> Settlement {
    let reply = RemoteReply { host: None, code: None, enhanced: "2.0.0".to_owned(), text: "ok".to_owned() };
    let result = |(id, _): &(_, _)| RecipientResult { recipient: *id, verdict, reply: reply.clone() };
    Settlement {
        lease: delivery.lease,
        started_at: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        elapsed: Duration::ZERO,
        destination: "mx".to_owned(),
        results: delivery.recipients.iter().map(result).collect(),
        retry_after: Duration::from_secs(300),
        suspend: None,
        notices: Vec::new(),
        delay_notified: false,
    }
}

async fn count(pool: &Pool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool.inner()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_holds_on_postgres() {
    suite(Real::start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_arrive_together_share_one_put() {
    let real = Real::start().await;
    real.store.delay(Operation::Put, Duration::from_millis(20));
    let calls = (0..50).map(|index| {
        let queue = real.queue.clone();
        async move { queue.enqueue(message(&format!("b@south{}.test", index % 7))).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|enqueued| enqueued.fresh)), "{answers:?}");
    assert!(real.store.calls(Operation::Put) <= 3, "{} puts", real.store.calls(Operation::Put));
    assert_eq!(real.queue.claim(&worker(100)).await.unwrap().deliveries.len(), 50);
}

#[tokio::test]
async fn nothing_is_acknowledged_without_its_body() {
    let real = Real::start().await;
    real.store.inject(Operation::Put, Fault::Fail, 1);
    let request = message("b@south.test");
    let refused = real.queue.enqueue(request.clone()).await;
    assert!(matches!(refused, Err(QueueError::Unavailable { .. })), "{refused:?}");
    assert!(real.queue.claim(&worker(10)).await.unwrap().deliveries.is_empty());
    assert!(real.queue.enqueue(request).await.unwrap().fresh, "the same key may be tried again");
}

#[tokio::test]
async fn finished_messages_leave_dead_bodies_and_go_after_their_history() {
    let real = Real::start().await;
    real.queue.enqueue(message("b@south.test")).await.unwrap();
    let claimed = real.queue.claim(&worker(10)).await.unwrap().deliveries;
    real.queue.settle(settlement(&claimed[0], Verdict::Delivered)).await.unwrap();
    assert_eq!(count(&real.pool, "SELECT count(*) FROM queued WHERE body IS NOT NULL").await, 0);
    assert_eq!(count(&real.pool, "SELECT count(*) FROM body").await, 1, "left for the collector");
    let day = Duration::from_secs(86_400);
    assert_eq!(real.queue.purge(day).await, Ok(0));
    real.elapse(day + Duration::from_secs(1)).await;
    assert_eq!(real.queue.purge(day).await, Ok(1));
    let left = "SELECT (SELECT count(*) FROM queued) + (SELECT count(*) FROM recipient)
                + (SELECT count(*) FROM delivery) + (SELECT count(*) FROM attempt)";
    assert_eq!(count(&real.pool, left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_of_a_message_that_settle_together_finish_it() {
    let real = Real::start().await;
    for _ in 0..20 {
        let request = EnqueueRequest {
            recipients: ["b@south.test", "c@east.test", "d@west.test"]
                .map(|text| Address::parse(text).unwrap())
                .to_vec(),
            ..message("x@y.test")
        };
        real.queue.enqueue(request).await.unwrap();
        let claimed = real.queue.claim(&worker(10)).await.unwrap().deliveries;
        assert_eq!(claimed.len(), 3);
        let settles =
            claimed.iter().map(|delivery| real.queue.settle(settlement(delivery, Verdict::Delivered)));
        assert!(futures_util::future::join_all(settles).await.iter().all(Result::is_ok));
    }
    assert_eq!(count(&real.pool, "SELECT count(*) FROM queued WHERE finished_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_enqueue_is_lost_to_a_destination_that_is_put_to_rest() {
    let real = Real::start().await;
    for round in 0..300 {
        // The destination is due by what the last round left, and has nothing: resting and enqueueing race.
        let rest = async {
            for _ in 0..4 {
                real.queue.wait_due(Duration::ZERO).await;
            }
        };
        let (enqueued, (), ()) = tokio::join!(
            real.queue.enqueue(message("b@south.test")),
            rest,
            real.queue.wait_due(Duration::ZERO)
        );
        enqueued.unwrap();
        let claimed = real.queue.claim(&worker(10)).await.unwrap().deliveries;
        assert_eq!(claimed.len(), 1, "round {round}");
        real.queue.settle(settlement(&claimed[0], Verdict::Delivered)).await.unwrap();
    }
}

#[tokio::test]
async fn rested_destination_is_woken_by_an_enqueue_and_by_its_next_attempt() {
    let real = Real::start().await;
    real.queue.enqueue(message("b@south.test")).await.unwrap();
    let claimed = real.queue.claim(&worker(10)).await.unwrap().deliveries;
    real.queue.settle(settlement(&claimed[0], Verdict::Deferred)).await.unwrap();
    real.queue.wait_due(Duration::ZERO).await;
    let resting = "SELECT count(*) FROM destination WHERE due_at > now() + interval '4 minutes'";
    assert_eq!(count(&real.pool, resting).await, 1);
    real.queue.enqueue(message("c@south.test")).await.unwrap();
    assert_eq!(real.queue.claim(&worker(10)).await.unwrap().deliveries.len(), 1);
    real.queue.wait_due(Duration::ZERO).await;
    real.elapse(Duration::from_secs(301)).await;
    assert_eq!(
        real.queue.claim(&worker(10)).await.unwrap().deliveries.len(),
        2,
        "the lease of the other is over too"
    );
}

#[tokio::test]
async fn another_pod_claims_what_this_one_queued() {
    let database = TestDatabase::create().await;
    let store = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
    let (one, two) = (Real::on(&database, store.clone()).await, Real::on(&database, store).await);
    one.queue.enqueue(message("b@south.test")).await.unwrap();
    let claimed = two.queue.claim(&worker(10)).await.unwrap().deliveries;
    assert_eq!(claimed.len(), 1);
    let body = two.queue.body(&claimed[0]).await.unwrap();
    assert_eq!(body.bytes().await.unwrap(), "Subject: x\r\n\r\nhello\r\n");
}
