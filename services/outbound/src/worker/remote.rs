//! Delivery to other servers: route, connection, transactions.

use std::collections::BTreeSet;
use std::sync::Arc;

use staffetta_chassis::spool::Spooled;
use staffetta_message::address::{Address, Domain};
use staffetta_outbound_api::{ClaimedDelivery, RecipientId, RecipientResult, RemoteReply, Route, Verdict};
use staffetta_smtp::reply::EnhancedCode;

use crate::client::connect::Connector;
use crate::client::connection::{Connection, Fence, SendError};
use crate::client::pool::{Pool, PoolKey};
use crate::client::session::{EightBitPolicy, Envelope, Outcome, own_reply};
use crate::config::SmarthostConfig;
use crate::metrics::Metrics;
use crate::route::{Candidate, NoRoute, Router};

/// Sends mail to mail exchangers and smarthosts.
#[derive(Debug)]
pub struct RemoteDelivery {
    /// Finds servers.
    pub router: Router,
    /// Opens connections to mail exchangers.
    pub exchangers: Connector,
    /// Fixed next servers, the first that matches.
    pub smarthosts: Vec<Smarthost>,
    /// Connections that wait.
    pub pool: Pool,
    /// Recipients in one transaction.
    pub max_recipients: usize,
    /// What becomes of 8-bit bodies.
    pub eight_bit: EightBitPolicy,
    /// Counts connections.
    pub metrics: Metrics,
}

/// A fixed next server.
#[derive(Debug)]
pub struct Smarthost {
    /// Which mail goes there, and where it is.
    pub config: SmarthostConfig,
    /// Opens connections to it.
    pub connector: Connector,
}

/// What became of a delivery.
#[derive(Debug)]
pub struct RemoteOutcome {
    /// A result for every recipient.
    pub results: Vec<RecipientResult>,
    /// The host that took part last, or the domain.
    pub destination: String,
    /// Whether no server could be talked to.
    pub unreachable: bool,
}

/// One try of servers, until every recipient of a transaction is decided.
struct Progress {
    remaining: Vec<(RecipientId, Address)>,
    results: Vec<RecipientResult>,
    last: Option<RemoteReply>,
    host: Option<String>,
    reached: bool,
}

impl RemoteDelivery {
    /// Where mail for `domain` goes.
    #[must_use]
    pub fn route(&self, domain: &Domain) -> Route {
        self.smarthost(domain).map_or(Route::Mx, |smarthost| Route::Smarthost {
            host: smarthost.config.host.clone(),
            port: smarthost.config.port,
        })
    }

    /// Sends `body` to every recipient of `delivery`.
    ///
    /// # Errors
    /// [`SendError::LeaseLost`]: nothing may be settled.
    pub async fn deliver(
        &self,
        delivery: &ClaimedDelivery,
        body: &Spooled,
        fence: &dyn Fence,
    ) -> Result<RemoteOutcome, SendError> {
        let domain = &delivery.destination.domain;
        let smarthost = self.smarthost(domain);
        let found = match smarthost {
            Some(smarthost) => self.router.host(&smarthost.config.host, smarthost.config.port).await,
            None => self.router.exchangers(domain).await,
        };
        let candidates = match found {
            Ok(candidates) => candidates,
            Err(no_route) => return Ok(nowhere(delivery, &no_route)),
        };
        let (connector, route) = match smarthost {
            Some(smarthost) => (&smarthost.connector, Arc::from(smarthost.config.host.as_str())),
            None => (&self.exchangers, Arc::from("mx")),
        };
        let line = Line { delivery: self, connector, route, candidates: &candidates };
        let (mut results, mut host, mut reached) = (Vec::new(), None, false);
        for recipients in delivery.recipients.chunks(self.max_recipients.max(1)) {
            let envelope = Envelope {
                sender: delivery.sender.clone(),
                recipients: recipients.to_vec(),
                eight_bit: delivery.eight_bit,
                size: body.len(),
            };
            let progress = line.transmit(envelope, body, fence).await?;
            host = progress.host.or(host);
            reached |= progress.reached;
            results.extend(progress.results);
        }
        let destination = host.unwrap_or_else(|| domain.to_string());
        Ok(RemoteOutcome { results, destination, unreachable: !reached })
    }

    fn smarthost(&self, domain: &Domain) -> Option<&Smarthost> {
        self.smarthosts.iter().find(|smarthost| smarthost.config.takes(domain))
    }
}

/// The servers of one delivery and how to talk to them.
struct Line<'a> {
    delivery: &'a RemoteDelivery,
    connector: &'a Connector,
    route: Arc<str>,
    candidates: &'a [Candidate],
}

impl Line<'_> {
    /// One transaction's recipients, at one server after the other until all are decided.
    async fn transmit(
        &self,
        envelope: Envelope,
        body: &Spooled,
        fence: &dyn Fence,
    ) -> Result<Progress, SendError> {
        let mut progress = Progress {
            remaining: envelope.recipients.clone(),
            results: Vec::new(),
            last: None,
            host: None,
            reached: false,
        };
        for candidate in self.candidates {
            if progress.remaining.is_empty() {
                break;
            }
            self.attempt(candidate, &envelope, body, fence, &mut progress).await?;
        }
        progress.defer_the_rest();
        Ok(progress)
    }

    async fn attempt(
        &self,
        candidate: &Candidate,
        envelope: &Envelope,
        body: &Spooled,
        fence: &dyn Fence,
        progress: &mut Progress,
    ) -> Result<(), SendError> {
        let key = PoolKey {
            host: candidate.host.clone(),
            address: candidate.address,
            route: Arc::clone(&self.route),
        };
        if let Some(connection) = self.delivery.pool.take(&key) {
            self.delivery.metrics.connection(true);
            let settled = self.send(connection, &key, envelope, body, fence, progress).await?;
            if settled {
                return Ok(());
            }
            // Servers close idle connections whenever they like: the same server gets a fresh one.
        }
        progress.host = Some(candidate.host.clone());
        match self.open(candidate).await {
            Ok(connection) => {
                self.delivery.metrics.connection(false);
                progress.reached = true;
                self.send(connection, &key, envelope, body, fence, progress).await?;
            }
            Err(reply) => progress.last = Some(reply),
        }
        Ok(())
    }

    /// Sends over one connection; whether the server decided about anyone or said why it would not.
    async fn send(
        &self,
        mut connection: Connection,
        key: &PoolKey,
        envelope: &Envelope,
        body: &Spooled,
        fence: &dyn Fence,
        progress: &mut Progress,
    ) -> Result<bool, SendError> {
        let envelope = Envelope { recipients: progress.remaining.clone(), ..envelope.clone() };
        let sent = connection.send(&envelope, body, self.delivery.eight_bit, fence).await;
        let outcome = match sent {
            Ok(outcome) => outcome,
            Err(SendError::LeaseLost) => return Err(SendError::LeaseLost),
            Err(SendError::Body(error)) => {
                progress.last = Some(own_reply(None, EnhancedCode(4, 3, 0), &error.to_string()));
                progress.defer_the_rest();
                return Ok(true);
            }
        };
        let decided = !outcome.results.is_empty();
        progress.host = Some(key.host.clone());
        progress.reached |= decided;
        let reusable = outcome.lost.is_none();
        progress.take(outcome);
        if reusable {
            self.delivery.pool.put(key.clone(), connection);
        }
        Ok(decided || reusable)
    }

    async fn open(&self, candidate: &Candidate) -> Result<Connection, RemoteReply> {
        let limit = self.connector.timeouts.connect;
        let slot = self.delivery.pool.slot(candidate.address, limit).await.ok_or_else(|| {
            let text = format!("{}: too many connections are open to it", candidate.address);
            own_reply(Some(&candidate.host), EnhancedCode(4, 4, 5), &text)
        })?;
        let opened = self.connector.open(&candidate.host, candidate.address).await;
        let connection = opened.map_err(|failure| failure.reply)?;
        tracing::debug!(
            host = candidate.host,
            address = %candidate.address,
            tls = connection.cipher().as_deref().unwrap_or("none"),
            "connected"
        );
        Ok(connection.holding(slot))
    }
}

impl Progress {
    fn take(&mut self, outcome: Outcome) {
        let undecided: BTreeSet<RecipientId> = outcome.undecided.into_iter().collect();
        self.remaining.retain(|(recipient, _)| undecided.contains(recipient));
        self.results.extend(outcome.results);
        self.last = outcome.lost.or_else(|| self.last.take());
    }

    fn defer_the_rest(&mut self) {
        let reply = self
            .last
            .clone()
            .unwrap_or_else(|| own_reply(None, EnhancedCode(4, 4, 1), "no server could be tried"));
        let deferred = |(recipient, _)| RecipientResult {
            recipient,
            verdict: Verdict::Deferred,
            reply: transient(reply.clone()),
        };
        self.results.extend(self.remaining.drain(..).map(deferred));
    }
}

fn nowhere(delivery: &ClaimedDelivery, no_route: &NoRoute) -> RemoteOutcome {
    let result = |(recipient, _): &(RecipientId, Address)| RecipientResult {
        recipient: *recipient,
        verdict: no_route.verdict,
        reply: no_route.reply.clone(),
    };
    RemoteOutcome {
        results: delivery.recipients.iter().map(result).collect(),
        destination: delivery.destination.domain.to_string(),
        unreachable: no_route.verdict == Verdict::Deferred,
    }
}

/// A server that greets with 5yz has not refused the message, only the connection: the status must not read as final.
fn transient(mut reply: RemoteReply) -> RemoteReply {
    if let Some(rest) = reply.enhanced.strip_prefix("5.") {
        reply.enhanced = format!("4.{rest}");
    }
    reply
}
