//! A worker with everything around it faked or in process.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use staffetta_chassis::clock::System;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::TlsClient;
use staffetta_directory_api::{
    AccountId, DirectoryError, Quota, RecipientResolution, Resolution, ResolvedAccount, SenderResolution,
    ShardEpoch, ShardName,
};
use staffetta_mailstore_api::{
    Access, AppendRequest, Appended, DeliverRequest, Delivered, Delivery, MailstoreError, Refusal,
    RefusalReason,
};
use staffetta_message::address::{Address, Domain};
use staffetta_outbound_api::{
    EnqueueRequest, MemoryQueue, Queue, QueuedMessage, RecipientStatus, Schedule, TransactionId,
};
use uuid::Uuid;

use crate::client::connect::Connector;
use crate::client::pool::{Pool, PoolConfig};
use crate::client::session::{EightBitPolicy, Hello, TlsUse};
use crate::client::timeouts::Timeouts;
use crate::config::{OverQuota, RetryConfig, ScheduleConfig, SmarthostConfig};
use crate::metrics::Metrics;
use crate::route::dns::{Dns, LookupFailure};
use crate::route::mx::MxRecord;
use crate::route::{AddressFamily, OwnNames, Router};
use crate::worker::attempt::Attempts;
use crate::worker::local::LocalDelivery;
use crate::worker::notice::Notices;
use crate::worker::remote::{RemoteDelivery, Smarthost};
use crate::worker::scheduler::Scheduler;

/// What may differ between tests.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) zone: Zone,
    pub(super) local: Local,
    pub(super) port: u16,
    pub(super) tls: TlsUse,
    pub(super) retry: RetryConfig,
    pub(super) schedule: ScheduleConfig,
    pub(super) reuse: PoolConfig,
    pub(super) timeouts: Timeouts,
    pub(super) over_quota: OverQuota,
    pub(super) emit_trace: bool,
    pub(super) smarthosts: Vec<SmarthostConfig>,
}

impl Setup {
    /// Mail for `south.test` goes to `peers`, first one preferred; they share a port.
    pub(super) fn to(peers: &[SocketAddr]) -> Self {
        let mut zone = Zone::default();
        for (preference, peer) in (1..).zip(peers) {
            zone.add("south.test", preference, &format!("mx{preference}.south.test"), peer.ip());
        }
        Self {
            zone,
            local: Local::default(),
            port: peers.first().map_or(25, SocketAddr::port),
            tls: TlsUse::Opportunistic,
            retry: RetryConfig::default(),
            schedule: ScheduleConfig::default(),
            reuse: PoolConfig::default(),
            timeouts: Timeouts::default(),
            over_quota: OverQuota::Defer,
            emit_trace: false,
            smarthosts: Vec::new(),
        }
    }

    pub(super) fn start(&self) -> Worker<MemoryQueue> {
        self.start_on(Arc::new(MemoryQueue::new(Arc::new(System))))
    }

    /// A worker on `queue`, as another pod would be.
    pub(super) fn start_on<Q: Queue + Schedule>(&self, queue: Arc<Q>) -> Worker<Q> {
        let (drain, tasks, clock) = (Drain::new(), Tasks::new(), Arc::new(System));
        let context = Context::for_tests();
        let metrics = Metrics::new(&context.meter);
        let pool = Pool::new(self.reuse.clone(), clock.clone(), tasks.clone());
        let own = OwnNames { hosts: ["out.north.test".to_owned()].into(), ..OwnNames::default() };
        let smarthost = |config: &SmarthostConfig| Smarthost {
            config: config.clone(),
            connector: Connector {
                hello: Hello { tls: config.tls, ..self.connector().hello },
                ..self.connector()
            },
        };
        let remote = RemoteDelivery {
            router: Router::new(Arc::new(self.zone.clone()), own, self.port, AddressFamily::Any, 5),
            exchangers: self.connector(),
            smarthosts: self.smarthosts.iter().map(smarthost).collect(),
            pool,
            max_recipients: 100,
            eight_bit: EightBitPolicy::Bounce,
            metrics: metrics.clone(),
        };
        let directory = Arc::new(self.local.clone());
        let shards: HashMap<ShardName, Arc<dyn Delivery>> =
            [(ShardName::default(), Arc::new(self.local.clone()) as Arc<dyn Delivery>)].into();
        let attempts = Attempts {
            schedule: queue.clone(),
            local: LocalDelivery::new(directory, shards, self.over_quota),
            remote,
            notices: Notices::new(Domain::parse("out.north.test").unwrap(), None).unwrap(),
            retry: self.retry.clone(),
            lease: self.schedule.lease,
            emit_trace: self.emit_trace,
            clock,
            metrics,
        };
        let scheduler = Scheduler::new(attempts, self.schedule.clone(), "w".to_owned(), tasks.clone());
        tasks.spawn(scheduler.clone().run(drain.watch()));
        Worker { queue, scheduler, tasks, drain, context }
    }

    fn connector(&self) -> Connector {
        Connector {
            hello: Hello { name: "out.north.test".to_owned(), tls: self.tls, credentials: None },
            tls: TlsClient::opportunistic(Duration::from_secs(5)).unwrap(),
            implicit_tls: false,
            plaintext_fallback: true,
            sources: Vec::new(),
            timeouts: self.timeouts.clone(),
            clock: Arc::new(System),
        }
    }
}

/// A running worker.
pub(super) struct Worker<Q> {
    pub(super) queue: Arc<Q>,
    pub(super) scheduler: Scheduler,
    pub(super) tasks: Tasks,
    pub(super) drain: Drain,
    pub(super) context: Context,
}

impl<Q: Queue> Worker<Q> {
    pub(super) async fn send(&self, sender: Option<&str>, recipients: &[&str]) -> TransactionId {
        let request = message(sender, recipients);
        let transaction = request.transaction;
        self.queue.enqueue(request).await.unwrap();
        transaction
    }

    /// Waits until the message is as `enough` wants it.
    pub(super) async fn until(
        &self,
        transaction: TransactionId,
        enough: impl Fn(&QueuedMessage) -> bool,
    ) -> QueuedMessage {
        let mut last = None;
        // The queue tells nobody when a result is written, so it is asked.
        for _ in 0..3_000 {
            if let Ok(message) = self.queue.show(transaction).await {
                if enough(&message) {
                    return message;
                }
                last = Some(message);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it stayed so: {last:?}");
    }

    pub(super) async fn finished(&self, transaction: TransactionId) -> QueuedMessage {
        let waiting =
            |message: &QueuedMessage| message.recipients.iter().any(|r| r.status == RecipientStatus::Waiting);
        self.until(transaction, |message| !waiting(message)).await
    }
}

pub(super) fn message(sender: Option<&str>, recipients: &[&str]) -> EnqueueRequest {
    EnqueueRequest {
        transaction: TransactionId(Uuid::now_v7()),
        sender: sender.map(|text| Address::parse(text).unwrap()),
        recipients: recipients.iter().map(|text| Address::parse(text).unwrap()).collect(),
        eight_bit: false,
        received_at: now(),
        traceparent: None,
        body: Bytes::from_static(b"Subject: hello\r\n\r\n.hello\r\n").into(),
    }
}

#[expect(clippy::disallowed_methods, reason = "what ingress would have done")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// DNS as a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone {
    exchangers: BTreeMap<String, Vec<MxRecord>>,
    addresses: BTreeMap<String, IpAddr>,
}

impl Zone {
    pub(super) fn add(&mut self, domain: &str, preference: u16, host: &str, address: IpAddr) {
        let record = MxRecord { preference, host: host.to_owned() };
        self.exchangers.entry(domain.to_owned()).or_default().push(record);
        self.addresses.insert(host.to_owned(), address);
    }
}

#[async_trait]
impl Dns for Zone {
    async fn mx(&self, domain: &str) -> Result<Vec<MxRecord>, LookupFailure> {
        self.exchangers.get(domain).cloned().ok_or(LookupFailure::NoDomain)
    }

    async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure> {
        self.addresses.get(host).map(|address| vec![*address]).ok_or(LookupFailure::NoDomain)
    }

    async fn ipv6(&self, _: &str) -> Result<Vec<IpAddr>, LookupFailure> {
        Err(LookupFailure::NoRecords)
    }
}

/// Transaction, accounts, message.
pub(super) type Stored = (TransactionId, Vec<i64>, String);

/// Accounts at `north.test`, and where their mail goes.
#[derive(Clone, Default)]
pub(super) struct Local {
    pub(super) accounts: BTreeMap<&'static str, Vec<i64>>,
    pub(super) refusals: BTreeMap<i64, RefusalReason>,
    pub(super) away: Arc<Mutex<u32>>,
    pub(super) stored: Arc<Mutex<Vec<Stored>>>,
}

#[async_trait]
impl Resolution for Local {
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        let resolve = |address: &Address| match self.accounts.get(address.local()) {
            None => RecipientResolution::UnknownUser,
            Some(ids) => RecipientResolution::Local(
                ids.iter()
                    .map(|id| ResolvedAccount {
                        account: AccountId(*id),
                        address: address.clone(),
                        shard: ShardName::default(),
                        epoch: ShardEpoch(0),
                        quota: Quota::UNLIMITED,
                        tag: None,
                    })
                    .collect(),
            ),
        };
        Ok(addresses.iter().map(resolve).collect())
    }

    async fn resolve_sender(&self, _: AccountId, _: &Address) -> Result<SenderResolution, DirectoryError> {
        Ok(SenderResolution::Denied)
    }

    async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        Ok(domain.as_str() == "north.test")
    }
}

#[async_trait]
impl Delivery for Local {
    async fn append(&self, _: &Access, _: AppendRequest) -> Result<Appended, MailstoreError> {
        Err(MailstoreError::Invalid { message: "not here".to_owned() })
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        {
            let mut away = self.away.lock().unwrap();
            if *away > 0 {
                *away -= 1;
                return Err(MailstoreError::Unavailable { message: "restarting".to_owned() });
            }
        }
        let ids: Vec<i64> = request.targets.iter().map(|target| target.account.0).collect();
        let refusals: Vec<Refusal> = ids
            .iter()
            .filter_map(|id| Some(Refusal { account: AccountId(*id), reason: *self.refusals.get(id)? }))
            .collect();
        if !refusals.is_empty() {
            return Err(MailstoreError::Refused { refusals });
        }
        let body = String::from_utf8(request.body.bytes().await.unwrap().to_vec()).unwrap();
        self.stored.lock().unwrap().push((request.transaction, ids.clone(), body));
        Ok(Delivered { stored: ids.into_iter().map(|id| (AccountId(id), None)).collect() })
    }
}
