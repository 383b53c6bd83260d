//! Wires ports to adapters, in the order of their dependencies.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use sqlx::migrate::Migrator;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::GrpcServer;
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::spool::SpoolBudget;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::token::TokenVerifier;
use staffetta_mailstore_api::grpc::server::{MailstoreServer, ServerParts};
use staffetta_packs::store::cache::Cached;
use staffetta_packs::{ObjectStore, PackReader, PackWriter, Prefix, WriterId};
use tokio::task::JoinHandle;

use crate::config::{HintsConfig, MailstoreConfig};
use crate::delivery::DeliveryCommit;
use crate::hints::{Hints, LocalHints, RedisHints};
use crate::metrics::BatchMetrics;
use crate::store::{Parts, PostgresMailstore};
use crate::sweep;
use crate::watch::Watchers;

/// The schema, newest migration last.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

const PING_EVERY: Duration = Duration::from_secs(5);
/// For the last batch, once every call has ended.
const LAST_BATCH: Duration = Duration::from_secs(5);

/// What stands in for a configured part, for tests, benches and platforms in one process.
#[derive(Debug, Clone, Default)]
pub struct Replacements {
    /// Instead of `store`.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// Instead of `hints`.
    pub hints: Option<Arc<dyn Hints>>,
}

/// A running mailstore.
pub struct Mailstore {
    backend: Backend,
    address: SocketAddr,
    drain: Drain,
    /// What answers calls: ends with them.
    calls: Tasks,
    /// What works in the background: is cut at the end.
    background: Tasks,
}

#[async_trait]
impl Service for Mailstore {
    const NAME: &'static str = "mailstore";
    type Config = MailstoreConfig;

    async fn start(config: MailstoreConfig, context: Context) -> anyhow::Result<Self> {
        Self::start_with(config, Replacements::default(), context).await
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        vec![("grpc".to_owned(), self.address)]
    }

    async fn drain(self, budget: Duration) {
        self.drain.start();
        // Deliveries under way are finished and answered; a caller that is cut repeats with the same key.
        if !self.calls.finish(budget).await {
            tracing::warn!("calls were cut at the end of the drain");
        }
        self.backend.close().await;
        self.background.stop().await;
    }
}

impl Mailstore {
    /// As [`Service::start`], with parts replaced.
    ///
    /// # Errors
    /// A part that cannot be opened or bound.
    pub async fn start_with(
        config: MailstoreConfig,
        replacements: Replacements,
        context: Context,
    ) -> anyhow::Result<Self> {
        let (drain, calls, background) = (Drain::new(), Tasks::new(), Tasks::new());
        let verifier =
            TokenVerifier::from_directory(&config.tokens.public_keys).context("tokens.public_keys")?;
        let server = GrpcServer::bind("grpc", &config.grpc, &context, &calls)?;
        let address = server.address();
        let backend = Backend::open(&config, replacements, &context, &background).await?;
        background.spawn(watch_database(backend.pool.clone(), context.clone()));
        let api = MailstoreServer::new(ServerParts {
            mailstore: Arc::new(backend.store.clone()),
            verifier: Arc::new(verifier),
            shard: config.shard,
            clock: context.clock.clone(),
            spool: SpoolBudget::new(&config.spool),
            max_message_size: config.limits.message_size,
            draining: drain.watch(),
        });
        server.serve(api.routes(), MailstoreServer::DESCRIPTORS, drain.watch()).await?;
        Ok(Self { backend, address, drain, calls, background })
    }
}

impl fmt::Debug for Mailstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailstore").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Ready while the database answers: without it no call can be served here.
async fn watch_database(pool: Pool, context: Context) {
    let check = context.health.register("database");
    loop {
        match pool.ping().await {
            Ok(()) => check.ready(true),
            Err(error) => check.failing(error.to_string()),
        }
        context.clock.sleep(PING_EVERY).await;
    }
}

/// The store and what works for it in the background.
pub(crate) struct Backend {
    pub(crate) store: PostgresMailstore,
    pub(crate) commit: Arc<DeliveryCommit>,
    writer: JoinHandle<()>,
    pool: Pool,
}

impl Backend {
    /// Connects to everything.
    pub(crate) async fn open(
        config: &MailstoreConfig,
        replacements: Replacements,
        context: &Context,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let pool = Pool::connect(&config.database, "mailstore", context).await.context("database")?;
        pool.migrate(&MIGRATIONS).await.context("database")?;
        let objects = match replacements.objects {
            Some(objects) => objects,
            None => config.store.open(&context.meter).await.context("store")?,
        };
        let hints: Arc<dyn Hints> = match (replacements.hints, &config.hints) {
            (Some(hints), _) => hints,
            (None, HintsConfig::InProcess {}) => Arc::new(LocalHints::default()),
            (None, HintsConfig::Redis(redis)) => Arc::new(RedisHints::start(redis, tasks).context("hints")?),
        };
        let database = pool.inner().clone();
        let metrics = BatchMetrics::new(&context.meter);
        let commit = Arc::new(DeliveryCommit::new(database.clone(), hints.clone(), metrics));
        let prefix = Prefix::new(&config.prefix);
        let name = config.writer.as_deref().map_or_else(WriterId::random, WriterId::new);
        let in_flight = config.packs.in_flight.unwrap_or_else(|| config.store.default_in_flight());
        let (writer, ended) = PackWriter::start(
            objects.clone(),
            commit.clone(),
            context.clock.clone(),
            (prefix.clone(), name),
            &config.packs,
            NonZeroUsize::get(in_flight),
        );
        let reader = PackReader::new(Arc::new(Cached::new(objects, &config.cache)), prefix);
        let watchers = Watchers::default();
        tasks.spawn(watchers.clone().poll(database.clone(), context.clock.clone(), config.watch_poll));
        tasks.spawn(sweep::run(database.clone(), context.clock.clone()));
        let store = PostgresMailstore::new(Parts {
            pool: database,
            clock: context.clock.clone(),
            limits: config.limits.clone(),
            writer,
            reader,
            hints,
            watchers,
        });
        Ok(Self { store, commit, writer: ended, pool })
    }

    /// Finishes the last batch and closes the database. Every clone of the store must be gone, or is cut.
    pub(crate) async fn close(self) {
        drop(self.store);
        // Ends by itself when the last submitter is gone; whoever is left is not waited for.
        let last_batch = tokio::time::timeout(LAST_BATCH, self.writer);
        if last_batch.await.is_err() {
            tracing::warn!("batch writer still in use");
        }
        self.commit.close().await;
        self.pool.close().await;
    }
}
