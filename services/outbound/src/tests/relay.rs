//! From enqueue to settle.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use staffetta_chassis::clock::{Clock, System};
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::testing::TestDatabase;
use staffetta_mailstore_api::RefusalReason;
use staffetta_outbound_api::{EnqueueRequest, Queue, QueueFilter, RecipientStatus};
use staffetta_packs::store::memory::MemoryStore;
use staffetta_packs::{PackConfig, Prefix, WriterId};
use tracing_subscriber::layer::SubscriberExt as _;

use super::fixture::{Local, Setup, Stored, message, now};
use super::peer::{DROP, Peer, STALL};
use crate::client::pool::PoolConfig;
use crate::client::session::TlsUse;
use crate::config::{OverQuota, RetryConfig, ScheduleConfig};
use crate::store::{PostgresQueue, Storage};

const ALICE: Option<&str> = Some("alice@north.test");

fn statuses(message: &staffetta_outbound_api::QueuedMessage) -> Vec<RecipientStatus> {
    message.recipients.iter().map(|recipient| recipient.status).collect()
}

#[tokio::test]
async fn message_is_relayed_and_leaves_the_queue() {
    let peer = Peer::start().await.offers(&["PIPELINING", "STARTTLS"]);
    let worker = Setup::to(&[peer.address]).start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(statuses(&finished), [RecipientStatus::Delivered]);
    assert_eq!(finished.attempts.len(), 1);
    assert_eq!(finished.attempts[0].destination, "mx1.south.test");
    assert_eq!(finished.attempts[0].replies[0].1.code, Some(250));
    let seen = peer.seen();
    assert_eq!(seen.bodies, ["Subject: hello\r\n\r\n..hello\r\n"]);
    assert_eq!(seen.encrypted, 1);
    assert!(worker.queue.list(&QueueFilter::default()).await.unwrap().is_empty());
    let metrics = worker.context.metrics_text();
    assert!(
        metrics.contains("outbound_attempts_total{result=\"delivered\",route=\"remote\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn refused_recipient_bounces_to_the_sender_and_the_bounce_is_delivered() {
    let peer =
        Peer::start().await.offers(&["PIPELINING"]).always("RCPT TO:<no@", "550 5.1.1 no such user here");
    let mut setup = Setup::to(&[peer.address]);
    setup.local.accounts.insert("alice", vec![7]);
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["no@south.test", "b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(statuses(&finished), [RecipientStatus::Failed, RecipientStatus::Delivered]);
    let stored = stored(&setup.local, 1).await;
    let (_, accounts, bounce) = &stored[0];
    assert_eq!(accounts, &[7]);
    assert!(bounce.starts_with("Return-Path: <>\r\n"), "{bounce}");
    for part in [
        "To: <alice@north.test>",
        "report-type=delivery-status",
        "Final-Recipient: rfc822; no@south.test",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx1.south.test",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user here",
        "Subject: hello",
    ] {
        assert!(bounce.contains(part), "{part} is missing in:\n{bounce}");
    }
    assert!(!bounce.contains("b@south.test"), "who got it is not in the bounce");
}

/// Waits for that many deliveries to accounts here.
async fn stored(local: &Local, count: usize) -> Vec<Stored> {
    for _ in 0..3_000 {
        let stored = local.stored.lock().unwrap().clone();
        if stored.len() >= count {
            return stored;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of {count} arrived", local.stored.lock().unwrap().len());
}

#[tokio::test]
async fn null_sender_is_never_bounced_to() {
    let peer = Peer::start().await.always("RCPT", "550 5.1.1 no");
    let setup = Setup::to(&[peer.address]);
    let worker = setup.start();
    let transaction = worker.send(None, &["no@south.test"]).await;
    worker.finished(transaction).await;
    let stats = worker.queue.stats().await.unwrap();
    assert_eq!(stats.messages, 0, "no notice about a notice");
    assert!(peer.seen().lines.iter().any(|line| line == "MAIL FROM:<>"));
}

#[tokio::test]
async fn next_exchanger_is_tried_when_the_first_is_down() {
    let second = Peer::start().await;
    // Same port on an address where nobody listens.
    let first = std::net::SocketAddr::new("127.0.0.77".parse().unwrap(), second.address.port());
    let worker = Setup::to(&[first, second.address]).start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(finished.attempts[0].destination, "mx2.south.test");
}

#[tokio::test]
async fn exchanger_that_turns_us_away_sends_us_to_the_next() {
    let first = Peer::start().await.always("greeting", "554 5.3.2 no service");
    let second = Peer::on(&format!("127.0.0.78:{}", first.address.port())).await;
    let worker = Setup::to(&[first.address, second.address]).start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    assert_eq!(statuses(&worker.finished(transaction).await), [RecipientStatus::Delivered]);
    assert_eq!((first.seen().bodies.len(), second.seen().bodies.len()), (0, 1));
}

#[tokio::test]
async fn unreachable_destination_waits_and_is_left_alone() {
    let gone = std::net::SocketAddr::new("127.0.0.79".parse().unwrap(), 9);
    let worker = Setup::to(&[gone]).start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let waiting = worker.until(transaction, |message| !message.attempts.is_empty()).await;
    assert_eq!(statuses(&waiting), [RecipientStatus::Waiting]);
    assert_eq!(waiting.recipients[0].last_reply.as_ref().unwrap().enhanced, "4.4.1");
    let wait = waiting.recipients[0].next_attempt_at.unwrap() - now();
    assert!(wait > TimeDelta::seconds(40) && wait < TimeDelta::seconds(80), "{wait}");
    let other = worker.send(ALICE, &["c@south.test"]).await;
    assert_eq!(worker.queue.show(other).await.unwrap().attempts.len(), 0, "the destination rests");
}

#[tokio::test]
async fn temporary_refusal_is_tried_again() {
    let peer = Peer::start().await.once("RCPT", "450 4.2.0 greylisted");
    let mut setup = Setup::to(&[peer.address]);
    setup.retry.remote.initial = Duration::from_millis(20);
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(finished.recipients[0].attempts, 2);
    assert_eq!(statuses(&finished), [RecipientStatus::Delivered]);
}

#[tokio::test]
async fn lost_connection_after_the_final_dot_sends_again_later() {
    let peer = Peer::start().await.once(".", DROP);
    let mut setup = Setup::to(&[peer.address]);
    setup.retry.remote.initial = Duration::from_millis(20);
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(peer.seen().bodies.len(), 2, "at least once");
    assert!(finished.attempts[0].replies[0].1.text.contains("unknown"));
}

#[tokio::test]
async fn expired_message_bounces_with_the_last_answer() {
    let peer = Peer::start().await.always("RCPT", "450 4.2.0 never now");
    let mut setup = Setup::to(&[peer.address]);
    setup.local.accounts.insert("alice", vec![7]);
    let worker = setup.start();
    let old = EnqueueRequest { received_at: now() - TimeDelta::days(6), ..message(ALICE, &["b@south.test"]) };
    worker.queue.enqueue(old.clone()).await.unwrap();
    let finished = worker.finished(old.transaction).await;
    assert_eq!(statuses(&finished), [RecipientStatus::Failed]);
    let bounce = &stored(&setup.local, 1).await[0].2;
    assert!(bounce.contains("Status: 5.4.7") && bounce.contains("never now"), "{bounce}");
}

#[tokio::test]
async fn late_message_is_reported_once() {
    let peer = Peer::start().await.always("RCPT", "450 4.2.0 busy");
    let mut setup = Setup::to(&[peer.address]);
    setup.local.accounts.insert("alice", vec![7]);
    setup.retry.remote.initial = Duration::from_millis(20);
    setup.retry.remote.max = Duration::from_millis(20);
    let worker = setup.start();
    let late =
        EnqueueRequest { received_at: now() - TimeDelta::hours(5), ..message(ALICE, &["b@south.test"]) };
    worker.queue.enqueue(late.clone()).await.unwrap();
    worker.until(late.transaction, |message| message.attempts.len() >= 4).await;
    let stored = stored(&setup.local, 1).await;
    assert_eq!(stored.len(), 1);
    assert!(stored[0].2.contains("Action: delayed") && stored[0].2.contains("Will-Retry-Until: "));
}

#[tokio::test]
async fn local_mail_is_delivered_with_its_return_path_and_per_recipient_results() {
    let mut setup = Setup::to(&[]);
    setup.local.accounts =
        [("bob", vec![1]), ("team", vec![1, 2]), ("full", vec![3]), ("big", vec![4])].into();
    setup.local.refusals = [(3, RefusalReason::OverQuota), (4, RefusalReason::TooLarge)].into();
    let worker = setup.start();
    let names =
        ["bob@north.test", "team@north.test", "full@north.test", "nobody@north.test", "big@north.test"];
    let transaction = worker.send(Some("x@east.test"), &names).await;
    let message = worker.until(transaction, |message| !message.attempts.is_empty()).await;
    let (delivered, waiting, failed) =
        (RecipientStatus::Delivered, RecipientStatus::Waiting, RecipientStatus::Failed);
    assert_eq!(statuses(&message), [delivered, delivered, waiting, failed, failed]);
    let enhanced: Vec<_> =
        message.recipients.iter().map(|r| r.last_reply.as_ref().unwrap().enhanced.clone()).collect();
    assert_eq!(enhanced, ["2.1.5", "2.1.5", "4.2.2", "5.1.1", "5.3.4"]);
    let stored = stored(&setup.local, 1).await;
    assert_eq!(stored[0].0, transaction);
    assert_eq!(stored[0].1, [1, 2], "each account once");
    assert!(stored[0].2.starts_with("Return-Path: <x@east.test>\r\nSubject: hello\r\n"));
}

#[tokio::test]
async fn full_mailbox_bounces_where_settings_say_so() {
    let mut setup = Setup::to(&[]);
    setup.local.accounts.insert("full", vec![3]);
    setup.local.refusals.insert(3, RefusalReason::OverQuota);
    setup.over_quota = OverQuota::Bounce;
    let worker = setup.start();
    let transaction = worker.send(None, &["full@north.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!(finished.recipients[0].last_reply.as_ref().unwrap().enhanced, "5.2.2");
}

#[tokio::test]
async fn mailstore_that_restarts_gets_the_mail_soon() {
    let mut setup = Setup::to(&[]);
    setup.local.accounts.insert("bob", vec![1]);
    *setup.local.away.lock().unwrap() = 2;
    setup.retry.local.initial = Duration::from_millis(20);
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["bob@north.test"]).await;
    assert_eq!(worker.finished(transaction).await.recipients[0].attempts, 3);
}

#[tokio::test]
async fn connections_are_reused_and_a_closed_one_is_replaced_at_once() {
    let peer = Peer::start().await.offers(&["PIPELINING"]);
    let worker = Setup::to(&[peer.address]).start();
    for _ in 0..3 {
        let transaction = worker.send(ALICE, &["b@south.test"]).await;
        worker.finished(transaction).await;
    }
    assert_eq!(peer.seen().connections, 1);
    let peer = peer.once("RSET", "421 4.4.2 idle too long");
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    let finished = worker.finished(transaction).await;
    assert_eq!((peer.seen().connections, finished.recipients[0].attempts), (2, 1));
}

#[tokio::test]
async fn connection_is_used_for_its_number_of_messages() {
    let peer = Peer::start().await;
    let mut setup = Setup::to(&[peer.address]);
    setup.reuse = PoolConfig { max_messages: 2, ..PoolConfig::default() };
    let worker = setup.start();
    for _ in 0..4 {
        let transaction = worker.send(ALICE, &["b@south.test"]).await;
        worker.finished(transaction).await;
    }
    assert_eq!(peer.seen().connections, 2);
}

#[tokio::test]
async fn smarthost_takes_all_mail_without_a_lookup() {
    let peer = Peer::start().await;
    let mut setup = Setup::to(&[]);
    let text = format!("host = '127.0.0.1'\nport = {}\ntls = 'off'", peer.address.port());
    setup.smarthosts = vec![toml::from_str(&text).unwrap()];
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["b@nowhere.example"]).await;
    assert_eq!(statuses(&worker.finished(transaction).await), [RecipientStatus::Delivered]);
}

#[tokio::test]
async fn trace_header_continues_the_transactions_trace_only_when_asked() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // All tasks of this runtime are on this thread.
    let _traced = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for emit_trace in [false, true] {
        let peer = Peer::start().await;
        let worker = Setup { emit_trace, ..Setup::to(&[peer.address]) }.start();
        let request =
            EnqueueRequest { traceparent: Some(traceparent.to_owned()), ..message(ALICE, &["b@south.test"]) };
        worker.queue.enqueue(request.clone()).await.unwrap();
        worker.finished(request.transaction).await;
        let body = &peer.seen().bodies[0];
        let continued = body.starts_with("X-Staffetta-Trace: 00-0af7651916cd43dd8448eb211c80319c-");
        assert_eq!(continued, emit_trace, "{body}");
        assert!(!body.contains("b7ad6b7169203331"), "a span of our own");
    }
}

#[tokio::test]
async fn drain_finishes_what_is_in_flight_and_claims_no_more() {
    let peer = Peer::start().await;
    let worker = Setup::to(&[peer.address]).start();
    let first = worker.send(ALICE, &["b@south.test"]).await;
    peer.until(|seen| seen.connections > 0).await;
    worker.drain.start();
    assert!(worker.tasks.finish(Duration::from_secs(30)).await);
    assert_eq!(statuses(&worker.finished(first).await), [RecipientStatus::Delivered]);
    let second = worker.send(ALICE, &["b@south.test"]).await;
    assert_eq!(worker.queue.show(second).await.unwrap().attempts.len(), 0);
}

#[tokio::test]
async fn cut_attempts_give_their_leases_back() {
    let peer = Peer::start().await.once("MAIL", STALL);
    let setup = Setup::to(&[peer.address]);
    let worker = setup.start();
    let transaction = worker.send(ALICE, &["b@south.test"]).await;
    peer.until(|seen| seen.lines.iter().any(|line| line.starts_with("MAIL"))).await;
    worker.drain.start();
    assert!(!worker.tasks.finish(Duration::from_millis(10)).await);
    worker.scheduler.release().await;
    let next = setup.start_on(worker.queue.clone());
    assert_eq!(statuses(&next.finished(transaction).await), [RecipientStatus::Delivered]);
}

/// The queue of one more pod on the same database and store.
async fn pod(database: &TestDatabase, store: &Arc<MemoryStore>) -> Arc<PostgresQueue> {
    let pool = Pool::connect(&database.config(), "queue", &Context::for_tests()).await.unwrap();
    let storage = Storage {
        store: store.clone(),
        prefix: Prefix::new("queue"),
        writer: WriterId::random(),
        packs: PackConfig::default(),
        in_flight: 1,
        spool: SpoolBudget::new(&SpoolConfig::default()),
    };
    let (clock, lifetime): (Arc<dyn Clock>, _) = (Arc::new(System), RetryConfig::default().lifetime);
    Arc::new(PostgresQueue::start(pool, storage, clock, lifetime).await.unwrap().0)
}

fn short_leases(setup: &mut Setup) {
    setup.schedule = ScheduleConfig {
        lease: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        ..ScheduleConfig::default()
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_worker_is_replaced_by_another_after_its_lease() {
    let (database, store) = (TestDatabase::create().await, Arc::new(MemoryStore::default()));
    let peer = Peer::start().await.once(".", STALL);
    let mut setup = Setup::to(&[peer.address]);
    short_leases(&mut setup);
    let killed = setup.start_on(pod(&database, &store).await);
    let transaction = killed.send(ALICE, &["b@south.test"]).await;
    peer.until(|seen| !seen.bodies.is_empty()).await;
    // As SIGKILL: tasks stop, nothing is given back.
    killed.tasks.stop().await;
    let other = setup.start_on(pod(&database, &store).await);
    let finished = other.finished(transaction).await;
    assert_eq!(statuses(&finished), [RecipientStatus::Delivered]);
    assert_eq!(peer.seen().bodies.len(), 2, "remote delivery is at least once");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_attempt_keeps_its_lease() {
    let (database, store) = (TestDatabase::create().await, Arc::new(MemoryStore::default()));
    let peer = Peer::start().await.once("RCPT", STALL);
    let mut setup = Setup::to(&[peer.address]);
    short_leases(&mut setup);
    // The server stays silent for longer than three leases.
    setup.timeouts.recipient = Duration::from_millis(3_500);
    setup.retry.remote.initial = Duration::from_millis(10);
    let (one, two) =
        (setup.start_on(pod(&database, &store).await), setup.start_on(pod(&database, &store).await));
    let transaction = one.send(ALICE, &["b@south.test"]).await;
    let finished = two.finished(transaction).await;
    assert_eq!(finished.attempts.len(), 2, "nobody took over while the first was waiting");
    assert_eq!(peer.seen().bodies.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_are_each_delivered_once_by_two_pods() {
    let (database, store) = (TestDatabase::create().await, Arc::new(MemoryStore::default()));
    let peer = Peer::start().await.offers(&["PIPELINING"]);
    let mut setup = Setup::to(&[peer.address]);
    setup.tls = TlsUse::Off;
    let (one, two) =
        (setup.start_on(pod(&database, &store).await), setup.start_on(pod(&database, &store).await));
    let sends = (0..100).map(|_| one.send(ALICE, &["b@south.test"]));
    let transactions = futures_util::future::join_all(sends).await;
    for transaction in transactions {
        assert_eq!(statuses(&two.finished(transaction).await), [RecipientStatus::Delivered]);
    }
    let seen = peer.seen();
    assert_eq!(seen.bodies.len(), 100);
    assert!(seen.connections <= 20, "{} connections", seen.connections);
}
