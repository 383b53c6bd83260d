//! Wires ports to adapters, in the order of their dependencies.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::{Channel, GrpcServer};
use staffetta_chassis::postgres::Pool as Database;
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::spool::SpoolBudget;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::{TlsClient, TlsClientConfig};
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_directory_api::{Resolution, ShardName};
use staffetta_mailstore_api::Delivery;
use staffetta_mailstore_api::grpc::client::MailstoreClient;
use staffetta_outbound_api::Schedule;
use staffetta_outbound_api::grpc::QueueServer;
use staffetta_packs::{Prefix, WriterId};
use tokio::task::JoinHandle;
use tonic::service::Routes;

use crate::client::connect::Connector;
use crate::client::pool::Pool;
use crate::client::session::{Credentials, Hello};
use crate::config::{DeliveryConfig, OutboundConfig, SmarthostConfig};
use crate::metrics::{self, Metrics};
use crate::route::hickory::HickoryDns;
use crate::route::{OwnNames, Router};
use crate::store::{PostgresQueue, Storage};
use crate::worker::attempt::Attempts;
use crate::worker::local::LocalDelivery;
use crate::worker::notice::Notices;
use crate::worker::remote::{RemoteDelivery, Smarthost};
use crate::worker::scheduler::Scheduler;

/// The workload's name towards directory and mailstore.
const WORKLOAD: &str = "outbound";
/// How often history is purged.
const PURGE_PAUSE: Duration = Duration::from_secs(600);
/// How long servers are waited for that we say goodbye to.
const GOODBYES: Duration = Duration::from_secs(1);
/// Kept of the drain's budget for what comes after the last attempt.
const CLOSING: Duration = Duration::from_secs(3);

/// The running service.
pub struct Outbound {
    endpoints: Vec<(String, SocketAddr)>,
    drain: Drain,
    /// Calls and attempts: they end by themselves.
    work: Tasks,
    /// Loops that end with the service.
    background: Tasks,
    /// Goodbyes to servers.
    goodbyes: Tasks,
    scheduler: Scheduler,
    pool: Pool,
    database: Database,
    writer: JoinHandle<()>,
}

#[async_trait]
impl Service for Outbound {
    const NAME: &'static str = WORKLOAD;
    type Config = OutboundConfig;

    async fn start(config: OutboundConfig, context: Context) -> anyhow::Result<Self> {
        let (drain, work) = (Drain::new(), Tasks::new());
        let (background, goodbyes) = (Tasks::new(), Tasks::new());
        let server = GrpcServer::bind("grpc", &config.grpc, &context, &work)?;
        let endpoints = vec![("grpc".to_owned(), server.address())];
        let database = Database::connect(&config.database, "queue", &context).await.context("database")?;
        let spool = SpoolBudget::new(&config.spool);
        let name = config.writer.as_deref().map_or_else(WriterId::random, WriterId::new);
        let (queue, writer) = open_queue(&config, &context, &database, &spool, &name).await?;
        let pool = Pool::new(config.delivery.reuse.clone(), context.clock.clone(), goodbyes.clone());
        let metrics = Metrics::new(&context.meter);
        let attempts = Attempts {
            schedule: Arc::new(queue.clone()) as Arc<dyn Schedule>,
            local: local(&config, &context)?,
            remote: remote(&config, &context, &pool, &metrics)?,
            notices: Notices::new(config.hostname.clone(), config.mailer_daemon.clone())
                .context("hostname")?,
            retry: config.retry.clone(),
            lease: config.schedule.lease,
            emit_trace: config.trace.emit_header,
            clock: context.clock.clone(),
            metrics,
        };
        let scheduler =
            Scheduler::new(attempts, config.schedule.clone(), name.as_str().to_owned(), work.clone());

        let routes =
            Routes::new(QueueServer::service(Arc::new(queue.clone()), spool, config.max_message_size));
        server.serve(routes, staffetta_outbound_api::grpc::DESCRIPTORS, drain.watch()).await?;
        work.spawn(scheduler.clone().run(drain.watch()));
        let sweeper = pool.clone();
        background.spawn(async move { sweeper.sweep().await });
        background.spawn(purge(queue.clone(), config.schedule.history, context.clock.clone()));
        let counted = Arc::new(queue);
        background.spawn(metrics::sample(
            counted,
            pool.clone(),
            context.clock.clone(),
            context.meter.clone(),
        ));
        Ok(Self { endpoints, drain, work, background, goodbyes, scheduler, pool, database, writer })
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        self.endpoints.clone()
    }

    async fn drain(self, budget: Duration) {
        self.drain.start();
        let all = self.work.finish(budget.saturating_sub(CLOSING)).await;
        if !all {
            tracing::warn!(cut = self.scheduler.in_flight(), "attempts were cut");
        }
        self.scheduler.release().await;
        self.background.stop().await;
        self.pool.close_all();
        self.goodbyes.finish(GOODBYES).await;
        drop(self.scheduler);
        // The writer ends when the last handle to the queue is gone; the calls that hold one are over.
        let _ = tokio::time::timeout(CLOSING, self.writer).await;
        self.database.close().await;
    }
}

async fn open_queue(
    config: &OutboundConfig,
    context: &Context,
    database: &Database,
    spool: &SpoolBudget,
    name: &WriterId,
) -> anyhow::Result<(PostgresQueue, JoinHandle<()>)> {
    let in_flight = config.packs.in_flight.unwrap_or_else(|| config.store.default_in_flight());
    let storage = Storage {
        store: config.store.open(&context.meter).await.context("store")?,
        prefix: Prefix::new(&config.prefix),
        writer: name.clone(),
        packs: config.packs.clone(),
        in_flight: in_flight.get(),
        spool: spool.clone(),
    };
    let started =
        PostgresQueue::start(database.clone(), storage, context.clock.clone(), config.retry.lifetime).await;
    started.context("database")
}

fn local(config: &OutboundConfig, context: &Context) -> anyhow::Result<LocalDelivery> {
    let channel = Channel::connect(&config.directory, WORKLOAD, context).context("directory")?;
    let directory: Arc<dyn Resolution> = Arc::new(DirectoryClient::new(channel));
    let mut shards: HashMap<ShardName, Arc<dyn Delivery>> = HashMap::new();
    for (shard, target) in &config.shards {
        let channel =
            Channel::connect(target, WORKLOAD, context).with_context(|| format!("shards.{shard}"))?;
        shards.insert(ShardName(shard.clone()), Arc::new(MailstoreClient::new(channel)));
    }
    Ok(LocalDelivery::new(directory, shards, config.local.over_quota))
}

fn remote(
    config: &OutboundConfig,
    context: &Context,
    pool: &Pool,
    metrics: &Metrics,
) -> anyhow::Result<RemoteDelivery> {
    let delivery = &config.delivery;
    let own = OwnNames {
        hosts: config.own.hosts.iter().chain([&config.hostname]).map(ToString::to_string).collect(),
        addresses: config.own.addresses.iter().copied().collect(),
    };
    let dns = Arc::new(HickoryDns::new(&config.dns).context("dns")?);
    let hello = Hello { name: config.hostname.to_string(), tls: delivery.tls, credentials: None };
    let smarthost = |smarthost: &SmarthostConfig| -> anyhow::Result<Smarthost> {
        Ok(Smarthost {
            config: smarthost.clone(),
            connector: smarthost_connector(smarthost, delivery, &hello.name, context)
                .with_context(|| format!("smarthost {}", smarthost.host))?,
        })
    };
    Ok(RemoteDelivery {
        router: Router::new(dns, own, delivery.port, delivery.family, delivery.max_candidates),
        smarthosts: config.smarthosts.iter().map(smarthost).collect::<Result<_, _>>()?,
        exchangers: Connector {
            hello: hello.clone(),
            tls: TlsClient::opportunistic(delivery.timeouts.tls).context("tls")?,
            implicit_tls: false,
            plaintext_fallback: delivery.plaintext_fallback,
            sources: delivery.sources.clone(),
            timeouts: delivery.timeouts.clone(),
            clock: context.clock.clone(),
        },
        pool: pool.clone(),
        max_recipients: delivery.max_recipients,
        eight_bit: delivery.eight_bit,
        metrics: metrics.clone(),
    })
}

fn smarthost_connector(
    smarthost: &SmarthostConfig,
    delivery: &DeliveryConfig,
    name: &str,
    context: &Context,
) -> anyhow::Result<Connector> {
    let tls = if smarthost.verify {
        TlsClient::load(&TlsClientConfig {
            ca: smarthost.ca.clone(),
            handshake_timeout: delivery.timeouts.tls,
            ..TlsClientConfig::default()
        })?
    } else {
        TlsClient::opportunistic(delivery.timeouts.tls)?
    };
    let credentials = smarthost
        .login
        .as_ref()
        .map(|login| Credentials { username: login.username.clone(), password: login.password.clone() });
    Ok(Connector {
        hello: Hello { name: name.to_owned(), tls: smarthost.tls, credentials },
        tls,
        implicit_tls: smarthost.implicit_tls,
        plaintext_fallback: delivery.plaintext_fallback,
        sources: delivery.sources.clone(),
        timeouts: delivery.timeouts.clone(),
        clock: context.clock.clone(),
    })
}

async fn purge(queue: PostgresQueue, history: Duration, clock: Arc<dyn Clock>) {
    loop {
        match queue.purge(history).await {
            Ok(0) => {}
            Ok(messages) => tracing::info!(messages, "history purged"),
            Err(error) => tracing::warn!(%error, "history could not be purged"),
        }
        clock.sleep(PURGE_PAUSE).await;
    }
}
