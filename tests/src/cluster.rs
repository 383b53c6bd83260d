//! Every service as its own process over loopback gRPC, on a real PostgreSQL, a real Redis and an S3 endpoint.
//!
//! A [`Cluster`] is one machine room: what the platforms in it share (PostgreSQL with a database each, Redis, S3 with a bucket
//! each, name server, authority). Its addresses are a random corner of 127.0.0.0/8, so that clusters run side by side on the
//! same fixed ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use rand::Rng as _;
use staffetta_chassis::testing::{PrivatePostgres, PrivatePostgresOptions};
use staffetta_local::ca::Authority;
use staffetta_local::dns::{DnsServer, Zone};

use crate::redis_server::RedisServer;
use crate::s3_server::S3Server;

mod door;
mod program;
mod site;

pub use door::{Door, PASSWORD};
pub use program::Program;
pub use site::{PORTS, Site};

/// Log lines of each process that are shown when a test fails.
const SHOWN: usize = 25;

/// What a test wants other than the defaults.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// A platform for each; the first is `site(0)`.
    pub domains: Vec<&'static str>,
    /// Where processes send their traces.
    pub traces: Option<String>,
    /// Settings of processes, as environment variables name them without the prefix: `ACCEPTANCE__CALL`.
    pub settings: Vec<(Program, &'static str, String)>,
    /// Further domains that the name server knows: name, mail host and its address.
    pub zones: Vec<Zone>,
}

impl Setup {
    /// One platform.
    #[must_use]
    pub fn one() -> Self {
        Self { domains: vec!["north.test"], ..Self::default() }
    }

    /// Two platforms.
    #[must_use]
    pub fn two() -> Self {
        Self { domains: vec!["north.test", "south.test"], ..Self::default() }
    }

    /// With a setting of a program.
    #[must_use]
    pub fn with(mut self, program: Program, key: &'static str, value: &str) -> Self {
        self.settings.push((program, key, value.to_owned()));
        self
    }
}

/// Running platforms and what they stand on.
pub struct Cluster {
    /// The S3 endpoint.
    pub s3: S3Server,
    /// Redis.
    pub redis: RedisServer,
    sites: Vec<Site>,
    postgres: Option<PrivatePostgres>,
    network: [u8; 2],
    _dns: DnsServer,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Runs a test on platforms of its own. A failure shows what the processes logged.
    ///
    /// # Panics
    /// The test fails, or the platforms do not start.
    pub async fn run(setup: Setup, test: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>) {
        let mut cluster = match Self::start(setup).await {
            Ok(cluster) => cluster,
            Err(error) => panic!("the platforms do not start: {error:#}"),
        };
        let outcome = AssertUnwindSafe(test(&mut cluster)).catch_unwind().await;
        if !matches!(outcome, Ok(Ok(()))) {
            cluster.show_logs();
        }
        let stopped = cluster.stop().await;
        match outcome {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(Err(error)) => panic!("{error:?}"),
            Ok(Ok(())) => stopped.expect("PostgreSQL ends"),
        }
    }

    async fn start(setup: Setup) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("staffetta-cluster-").tempdir_in("/tmp")?;
        // PostgreSQL runs as a user of its own when the tests are root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let path = folder.path();
        let network = [rand::rng().random_range(16..250), rand::rng().random_range(0..=255)];
        let postgres = start_postgres(path).await?;
        let redis = RedisServer::start(host(network, 2), path).await?;
        let s3 = S3Server::start(host(network, 4), &path.join("objects"))?;
        let mut zones = setup.zones.clone();
        for (index, domain) in setup.domains.iter().enumerate() {
            let exchanger = (10, format!("mx.{domain}"), Some(site_host(network, index)));
            zones.push(Zone { domain: (*domain).to_owned(), exchangers: vec![exchanger] });
        }
        let dns = DnsServer::start(host(network, 3), &zones).await?;
        let mut cluster =
            Self { s3, redis, sites: Vec::new(), postgres: Some(postgres), network, _dns: dns, folder };
        if let Err(error) = cluster.start_sites(&setup).await {
            cluster.show_logs();
            return Err(error);
        }
        Ok(cluster)
    }

    async fn start_sites(&mut self, setup: &Setup) -> anyhow::Result<()> {
        let authority = Authority::open(&self.folder.path().join("ca"))?;
        for (index, domain) in setup.domains.iter().enumerate() {
            let name = domain.replace('.', "-");
            self.s3.create_bucket(&name)?;
            let postgres = self.postgres.as_ref().context("PostgreSQL does not run")?;
            postgres.create_database(&name).await?;
            let surroundings = site::Surroundings {
                folder: &self.folder.path().join(&name),
                host: site_host(self.network, index),
                database: stable_url(self.folder.path(), &name),
                bucket: name,
                s3: self.s3.url(),
                redis: self.redis.url(),
                dns: self._dns.address(),
                authority: &authority,
                setup,
            };
            self.sites.push(Site::prepare(domain, surroundings)?);
        }
        futures_util::future::try_join_all(self.sites.iter_mut().map(Site::start_all)).await?;
        for site in &self.sites {
            site.create_domain().await?;
        }
        Ok(())
    }

    /// A platform.
    #[must_use]
    pub fn site(&self, index: usize) -> &Site {
        &self.sites[index]
    }

    /// A platform, to start and end processes of it.
    pub fn site_mut(&mut self, index: usize) -> &mut Site {
        &mut self.sites[index]
    }

    /// An address of this cluster that nothing else uses, `index` below 50.
    #[must_use]
    pub fn spare_host(&self, index: u8) -> IpAddr {
        host(self.network, 200 + index)
    }

    /// A folder for a test's own files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops PostgreSQL; open connections are cut.
    ///
    /// # Errors
    /// It does not run.
    pub async fn stop_postgres(&mut self) -> anyhow::Result<()> {
        Ok(self.postgres.take().context("PostgreSQL does not run")?.stop().await?)
    }

    /// Starts PostgreSQL again on the same data and at the same URL.
    ///
    /// # Errors
    /// It does not start.
    pub async fn resume_postgres(&mut self) -> anyhow::Result<()> {
        self.postgres = Some(start_postgres(self.folder.path()).await?);
        Ok(())
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        for site in &mut self.sites {
            site.kill_all().await;
        }
        let _ = self.redis.stop().await;
        match self.postgres.take() {
            Some(postgres) => Ok(postgres.stop().await?),
            None => Ok(()),
        }
    }

    #[expect(clippy::print_stderr, reason = "what a failed test shows")]
    fn show_logs(&self) {
        for process in self.sites.iter().flat_map(Site::processes) {
            let log = process.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- {} ({} lines of log, the last of them:)", process.name(), lines.len());
            for line in &lines[lines.len().saturating_sub(SHOWN)..] {
                eprintln!("{line}");
            }
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("sites", &self.sites).finish_non_exhaustive()
    }
}

fn host(network: [u8; 2], last: u8) -> IpAddr {
    Ipv4Addr::new(127, network[0], network[1], last).into()
}

/// The first address of a site; further instances have the next ones.
fn site_host(network: [u8; 2], index: usize) -> IpAddr {
    host(network, u8::try_from(10 + 10 * index).unwrap_or(u8::MAX))
}

/// The socket's folder is another one at each start; a link keeps the URL.
async fn start_postgres(folder: &Path) -> anyhow::Result<PrivatePostgres> {
    let options = PrivatePostgresOptions { data_dir: Some(folder.join("postgres")), fsync: false };
    let postgres = PrivatePostgres::start(options).await?;
    let url = postgres.url("postgres");
    let socket = url.split_once("host=").and_then(|(_, rest)| rest.split('&').next()).context("no socket")?;
    let link = link(folder);
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(socket.replace("%2F", "/"), link)?;
    Ok(postgres)
}

fn link(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn stable_url(folder: &Path, database: &str) -> String {
    let link = link(folder).display().to_string().replace('/', "%2F");
    format!("postgres://postgres@localhost/{database}?host={link}&sslmode=disable")
}

/// The address of a process's port.
fn at(host: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(host, port)
}
