//! A private Redis from the system's package: nothing on disk, one address, ended with the test.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::eventually;
use crate::local::installed;
use crate::process::Process;

/// The port; every server of a test has an address of its own.
const PORT: u16 = 6379;

const READY: Duration = Duration::from_secs(10);

/// A server that may be stopped, emptied and started again.
#[derive(Debug)]
pub struct RedisServer {
    address: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts it on an address and waits until it answers.
    ///
    /// # Errors
    /// Redis is not installed, or does not start.
    pub async fn start(host: IpAddr, folder: &Path) -> anyhow::Result<Self> {
        let mut server =
            Self { address: SocketAddr::new(host, PORT), log: folder.join("redis.log"), process: None };
        server.resume().await?;
        Ok(server)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Ends it at once; what it held is gone.
    ///
    /// # Errors
    /// It does not run.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.take().context("Redis does not run")?.kill().await
    }

    /// Starts it again, empty.
    ///
    /// # Errors
    /// It does not start.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let arguments = ["--bind", &host, "--port", &port, "--save", "", "--appendonly", "no"];
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let program = installed("redis-server", "redis-server")?;
        self.process = Some(Process::start("redis", &program, &arguments, &[], &self.log).await?);
        eventually::is_ok("Redis answers", READY, async || self.connection().await.map(drop)).await
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn flush(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        Ok(redis::cmd("FLUSHALL").query_async(&mut connection).await?)
    }

    async fn connection(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        Ok(redis::Client::open(self.url())?.get_multiplexed_async_connection().await?)
    }
}
