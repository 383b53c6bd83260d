//! Wiring, in the order of dependencies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use staffetta_chassis::Service;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::GrpcServer;
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::Workloads;
use staffetta_directory_api::grpc::DirectoryServer;
use staffetta_directory_api::token::{PublicKey, PublicKeys, SigningKey, TokenError, TokenSigner};

use crate::administration::Administrator;
use crate::authentication::{Authenticator, Hasher, Verified};
use crate::budgets::BudgetKeeper;
use crate::cleanup::Cleanup;
use crate::config::{DirectoryConfig, TokenConfig};
use crate::lockout::Lockout;
use crate::metrics::Metrics;
use crate::resolution::Resolver;
use crate::view::{Parts, Views};

const PING_EVERY: Duration = Duration::from_secs(5);

/// A running directory.
#[derive(Debug)]
pub struct Directory {
    address: SocketAddr,
    pool: Pool,
    tasks: Tasks,
    background: Tasks,
    drain: Drain,
}

#[async_trait]
impl Service for Directory {
    const NAME: &'static str = "directory";
    type Config = DirectoryConfig;

    async fn start(config: DirectoryConfig, context: Context) -> anyhow::Result<Self> {
        let (tasks, background, drain) = (Tasks::new(), Tasks::new(), Drain::new());
        let server = GrpcServer::bind("grpc", &config.grpc, &context, &tasks)?;
        let pool = open_database(&config, &context).await?;
        let views = build(&config, &pool, &context, &background)?;
        let cleanup =
            Cleanup { pool: pool.clone(), clock: Arc::clone(&context.clock), config: config.cleanup.clone() };
        background.spawn(cleanup.run());
        background.spawn(watch_database(pool.clone(), context.clone()));
        let address = server.address();
        let routes = DirectoryServer::new(views).routes();
        server.serve(routes, DirectoryServer::DESCRIPTORS, drain.watch()).await?;
        Ok(Self { address, pool, tasks, background, drain })
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        vec![("grpc".to_owned(), self.address)]
    }

    async fn drain(self, budget: Duration) {
        self.drain.start();
        self.tasks.finish(budget).await;
        self.background.stop().await;
        self.pool.close().await;
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

/// Connects and brings the schema to its newest version.
pub(crate) async fn open_database(config: &DirectoryConfig, context: &Context) -> anyhow::Result<Pool> {
    let pool = Pool::connect(&config.postgres, Directory::NAME, context).await?;
    pool.migrate(&sqlx::migrate!("./migrations")).await?;
    Ok(pool)
}

/// The service without its listener.
pub(crate) fn build(
    config: &DirectoryConfig,
    pool: &Pool,
    context: &Context,
    tasks: &Tasks,
) -> anyhow::Result<Arc<dyn Workloads>> {
    let metrics = Metrics::new(&context.meter);
    let clock = &context.clock;
    let hasher = Arc::new(Hasher::new(&config.hashing, metrics.clone())?);
    let lockout =
        Lockout::new(config.lockout.clone(), config.redis.as_ref(), Arc::clone(clock)).context("redis")?;
    let (signer, keys) = keys(&config.tokens)?;
    let authenticator = Authenticator {
        pool: pool.clone(),
        clock: Arc::clone(clock),
        hasher: Arc::clone(&hasher),
        verified: Verified::new(&config.verified),
        lockout,
        signer,
        keys,
        token_life: config.tokens.life,
        session_life: config.tokens.session_life,
        metrics: metrics.clone(),
    };
    let administrator = Administrator {
        pool: pool.clone(),
        clock: Arc::clone(clock),
        hasher,
        defaults: config.accounts.clone(),
    };
    let resolver = Resolver::new(pool.clone(), &config.resolution, metrics.clone());
    let budgets =
        BudgetKeeper::start(pool.clone(), Arc::clone(clock), config.budgets.clone(), metrics, tasks);
    Ok(Arc::new(Views(Arc::new(Parts { authenticator, resolver, budgets, administrator }))))
}

/// The key that signs, and every key whose handles are trusted: the folder's, the signing one among them.
fn keys(config: &TokenConfig) -> Result<(TokenSigner, PublicKeys), TokenError> {
    let signing = match &config.signing_key {
        Some(kid) => SigningKey::read(&config.directory, kid)?,
        None => SigningKey::read_only_one(&config.directory)?,
    };
    let mut public = PublicKey::read_all(&config.directory)?;
    if !public.contains(signing.public()) {
        public.push(signing.public().clone());
    }
    Ok((TokenSigner::new(&signing), PublicKeys::new(&public)))
}
