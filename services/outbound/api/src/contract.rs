//! What every implementation of the queue does, as tests that run on any of them.
//!
//! [`suite`] runs all of it; an implementation calls it from its own tests. Time is the implementation's, so the suite
//! never sleeps: it asks the [`Subject`] to let time pass.

mod administration;
mod claiming;
mod enqueueing;
mod settling;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use staffetta_chassis::spool::Spooled;
use staffetta_message::address::Address;
use uuid::Uuid;

use crate::{
    ClaimRequest, ClaimedDelivery, EnqueueRequest, Lease, Queue, RecipientResult, RemoteReply, Schedule,
    Settlement, TransactionId, Verdict,
};

/// A queue under test, empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The callers' side.
    fn queue(&self) -> &dyn Queue;

    /// The workers' side of the same queue.
    fn schedule(&self) -> &dyn Schedule;

    /// Lets `duration` pass on the implementation's clock.
    async fn elapse(&self, duration: Duration);
}

type Case = (&'static str, for<'a> fn(&'a dyn Subject) -> BoxFuture<'a, ()>);

macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        &[$((stringify!($name), |subject| Box::pin($module::$name(subject)))),+]
    };
}

const CASES: &[Case] = cases![
    enqueueing::enqueue_is_idempotent_by_transaction,
    enqueueing::enqueue_after_delivery_queues_nothing,
    enqueueing::recipients_are_grouped_by_domain,
    enqueueing::invalid_recipients_are_refused,
    enqueueing::body_and_envelope_come_back,
    claiming::each_delivery_is_leased_once,
    claiming::limit_is_respected,
    claiming::destination_limit_counts_all_workers,
    claiming::destinations_take_turns,
    claiming::suspended_destination_waits,
    claiming::expired_lease_is_claimable_and_fenced,
    claiming::expired_lease_settles_while_nobody_took_over,
    claiming::renewed_lease_lasts,
    claiming::released_lease_is_claimable_at_once,
    claiming::wait_due_ends_at_an_enqueue,
    settling::delivered_recipients_leave_the_queue,
    settling::deferred_recipients_come_back_when_due,
    settling::results_are_per_recipient,
    settling::incomplete_results_are_refused,
    settling::notices_are_queued_from_the_null_sender,
    settling::lost_lease_queues_no_notice,
    settling::delay_notice_is_remembered,
    administration::list_filters_and_pages,
    administration::show_tells_the_history,
    administration::unknown_transactions_are_not_found,
    administration::retry_makes_waiting_deliveries_due,
    administration::cancel_drops_what_waits,
    administration::cancel_leaves_a_delivery_under_way,
    administration::stats_count,
];

/// Runs every case on a fresh subject.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn suite<S: Subject>(make: impl AsyncFn() -> S) {
    for (name, case) in CASES {
        let subject = make().await;
        tracing::info!(case = name, "contract");
        case(&subject).await;
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("a valid address in a test")
}

fn transaction() -> TransactionId {
    TransactionId(Uuid::now_v7())
}

fn message(sender: &str, recipients: &[&str]) -> EnqueueRequest {
    EnqueueRequest {
        transaction: transaction(),
        sender: Some(address(sender)),
        recipients: recipients.iter().map(|text| address(text)).collect(),
        eight_bit: false,
        received_at: received_at(),
        traceparent: None,
        body: Bytes::from_static(b"Subject: hello\r\n\r\nhello\r\n").into(),
    }
}

fn received_at() -> DateTime<Utc> {
    // The queue keeps microseconds.
    DateTime::from_timestamp_micros(1_790_000_000_123_456).expect("a valid time")
}

fn worker(limit: u32) -> ClaimRequest {
    let lease = Duration::from_secs(60);
    ClaimRequest { worker: "contract".to_owned(), limit, per_destination: 100, lease }
}

async fn claim(subject: &dyn Subject, limit: u32) -> Vec<ClaimedDelivery> {
    subject.schedule().claim(&worker(limit)).await.expect("claim").deliveries
}

async fn enqueue(subject: &dyn Subject, request: &EnqueueRequest) -> bool {
    subject.queue().enqueue(request.clone()).await.expect("enqueue").fresh
}

fn reply(code: u16, enhanced: &str, text: &str) -> RemoteReply {
    let host = Some("mx.example.test".to_owned());
    RemoteReply { host, code: Some(code), enhanced: enhanced.to_owned(), text: text.to_owned() }
}

fn settlement(delivery: &ClaimedDelivery, verdict: Verdict) -> Settlement {
    let said = match verdict {
        Verdict::Delivered => reply(250, "2.0.0", "ok"),
        Verdict::Deferred => reply(451, "4.3.0", "later"),
        Verdict::Failed => reply(550, "5.1.1", "no such user"),
    };
    let result = |id| RecipientResult { recipient: id, verdict, reply: said.clone() };
    Settlement {
        lease: delivery.lease,
        started_at: received_at(),
        elapsed: Duration::from_millis(15),
        destination: "mx.example.test".to_owned(),
        results: delivery.recipients.iter().map(|(id, _)| result(*id)).collect(),
        retry_after: Duration::from_secs(300),
        suspend: None,
        notices: Vec::new(),
        delay_notified: false,
    }
}

async fn settle(subject: &dyn Subject, delivery: &ClaimedDelivery, verdict: Verdict) {
    subject.schedule().settle(settlement(delivery, verdict)).await.expect("settle");
}

async fn octets(body: Spooled) -> Vec<u8> {
    let chunks: Vec<Bytes> = body.stream().try_collect().await.expect("a readable body");
    chunks.concat()
}

fn leases(deliveries: &[ClaimedDelivery]) -> Vec<Lease> {
    deliveries.iter().map(|delivery| delivery.lease).collect()
}
