//! One attempt at one delivery, from claim to settle.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::spool::Spooled;
use staffetta_chassis::telemetry::{continue_trace, traceparent};
use staffetta_outbound_api::{
    ClaimedDelivery, QueueError, RecipientResult, RemoteReply, Route, Schedule, Settlement, Verdict,
};
use staffetta_smtp::reply::EnhancedCode;
use tracing::{Instrument, Span};

use super::lease::LeaseKeeper;
use super::local::LocalDelivery;
use super::notice::Notices;
use super::outcome::{self, Plan, Way};
use super::remote::RemoteDelivery;
use crate::client::connection::SendError;
use crate::client::session::{deferred, own_reply};
use crate::config::RetryConfig;
use crate::metrics::Metrics;

/// How long results are kept in memory while the database is away. Losing them means sending twice.
const SETTLE_PATIENCE: Duration = Duration::from_secs(300);

/// Makes attempts.
pub struct Attempts {
    /// The queue.
    pub schedule: Arc<dyn Schedule>,
    /// To accounts here.
    pub local: LocalDelivery,
    /// To other servers.
    pub remote: RemoteDelivery,
    /// Writes to senders.
    pub notices: Notices,
    /// When to try again.
    pub retry: RetryConfig,
    /// How long a lease lasts between renewals.
    pub lease: Duration,
    /// Whether relayed mail carries our trace.
    pub emit_trace: bool,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Metrics,
}

/// What was tried and what came of it.
struct Tried {
    results: Vec<RecipientResult>,
    destination: String,
    way: Way,
    body: Option<Spooled>,
}

impl Attempts {
    /// Works on a delivery under the lease that `keeper` holds, until it is settled or the lease is lost.
    pub async fn run(&self, delivery: ClaimedDelivery, keeper: &LeaseKeeper) {
        let span = tracing::info_span!(
            "delivery",
            transaction = %delivery.transaction,
            destination = %delivery.destination.domain,
        );
        if let Some(parent) = &delivery.traceparent {
            continue_trace(&span, parent);
        }
        let work = self.attempt(&delivery, keeper);
        let guarded = async {
            tokio::select! {
                () = work => {}
                () = keeper.hold() => {
                    tracing::warn!(transaction = %delivery.transaction, "delivery lease is lost, giving up");
                }
            }
        };
        guarded.instrument(span).await;
    }

    async fn attempt(&self, delivery: &ClaimedDelivery, keeper: &LeaseKeeper) {
        let (started_at, began) = (self.now(), self.clock.instant());
        let tried = match self.deliver(delivery, keeper).await {
            Ok(tried) => tried,
            Err(error) => {
                tracing::warn!(transaction = %delivery.transaction, %error, "attempt is given up");
                return;
            }
        };
        let elapsed = self.clock.instant().saturating_duration_since(began);
        let (now, random) = (self.now(), rand::random());
        let plan = outcome::plan(delivery, tried.results, tried.way, &self.retry, now, random);
        self.report(delivery, &plan, &tried.destination, elapsed, tried.way);
        let notices = self.notices.write(delivery, &plan, tried.body.as_ref(), now).await;
        for notice in &notices {
            tracing::info!(
                transaction = %notice.transaction, about = %delivery.transaction, recipient = %notice.recipient,
                size = notice.body.len(), "notice to the sender",
            );
        }
        let settlement = Settlement {
            lease: delivery.lease,
            started_at,
            elapsed,
            destination: tried.destination,
            results: plan.results,
            retry_after: plan.retry_after,
            suspend: plan.suspend,
            notices,
            delay_notified: plan.delay_notice,
        };
        self.settle(delivery, settlement, now).await;
    }

    async fn deliver(&self, delivery: &ClaimedDelivery, keeper: &LeaseKeeper) -> Result<Tried, SendError> {
        let domain = &delivery.destination.domain;
        let not_yet = |text: &str, way, body| Tried {
            results: everyone(delivery, &own_reply(None, EnhancedCode(4, 3, 0), text)),
            destination: domain.to_string(),
            way,
            body,
        };
        let route = match self.local.is_local(domain).await {
            Ok(true) => Route::Local,
            Ok(false) => self.remote.route(domain),
            Err(error) => return Ok(not_yet(&error.to_string(), Way::Local, None)),
        };
        let body = match self.schedule.body(delivery).await {
            Ok(body) => body,
            Err(error) => return Ok(not_yet(&error.to_string(), Way::Local, None)),
        };
        if route == Route::Local {
            let results = self.local.deliver(delivery, &body).await;
            return Ok(Tried { results, destination: "local".to_owned(), way: Way::Local, body: Some(body) });
        }
        let outgoing = self.traced(&body);
        let outcome = self.remote.deliver(delivery, &outgoing, keeper).await?;
        let way = if outcome.unreachable { Way::Unreachable } else { Way::Remote };
        Ok(Tried { results: outcome.results, destination: outcome.destination, way, body: Some(body) })
    }

    /// The body with our trace in front, where settings say so.
    fn traced(&self, body: &Spooled) -> Spooled {
        let trace = if self.emit_trace { traceparent(&Span::current()) } else { None };
        match trace {
            Some(trace) => body.prepend(format!("X-Staffetta-Trace: {trace}\r\n").as_bytes()),
            None => body.clone(),
        }
    }

    /// Writes the results, again and again while the database is away.
    async fn settle(&self, delivery: &ClaimedDelivery, settlement: Settlement, since: DateTime<Utc>) {
        let mut attempt = 0;
        loop {
            let error = match self.schedule.settle(settlement.clone()).await {
                Ok(()) => return,
                // Taken over; or an earlier call had settled it and only its answer was lost.
                Err(QueueError::LeaseLost) => {
                    tracing::warn!(transaction = %delivery.transaction, attempt, "results came too late");
                    return;
                }
                Err(error) => error,
            };
            let waited = (self.now() - since).to_std().unwrap_or_default();
            if waited >= SETTLE_PATIENCE || !matches!(error, QueueError::Unavailable { .. }) {
                tracing::error!(transaction = %delivery.transaction, %error, "results could not be written");
                return;
            }
            self.clock.sleep(Backoff::default().delay(attempt)).await;
            attempt += 1;
        }
    }

    /// One line per recipient: this is what an operator greps for.
    fn report(
        &self,
        delivery: &ClaimedDelivery,
        plan: &Plan,
        destination: &str,
        elapsed: Duration,
        way: Way,
    ) {
        let sender = delivery.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        for result in &plan.results {
            let recipient = delivery.recipients.iter().find(|(id, _)| *id == result.recipient);
            let recipient = recipient.map(|(_, address)| address.to_string()).unwrap_or_default();
            let name = name_of(result.verdict);
            self.metrics.attempt(way, name, elapsed);
            tracing::info!(
                transaction = %delivery.transaction,
                sender,
                recipient,
                destination,
                size = delivery.size,
                attempt = delivery.attempts + 1,
                result = name,
                host = result.reply.host.as_deref().unwrap_or(""),
                code = result.reply.code.unwrap_or_default(),
                status = result.reply.enhanced,
                reply = result.reply.text,
                elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                "delivery attempt",
            );
            if result.verdict == Verdict::Failed && delivery.sender.is_none() {
                tracing::warn!(transaction = %delivery.transaction, recipient, "undeliverable notice is dropped");
            }
        }
        if plan.results.iter().any(|result| result.verdict == Verdict::Deferred) {
            tracing::debug!(transaction = %delivery.transaction, retry_after = ?plan.retry_after, "tried again later");
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now().into()
    }
}

fn everyone(delivery: &ClaimedDelivery, reply: &RemoteReply) -> Vec<RecipientResult> {
    delivery.recipients.iter().map(|(recipient, _)| deferred(*recipient, reply.clone())).collect()
}

fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Deferred => "deferred",
        Verdict::Failed => "failed",
    }
}
