//! The local platform as its users start it: the binary, its endpoints file, the `staffetta` command.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use crate::process::Process;

/// The longest a platform may take to be ready.
const READY: Duration = Duration::from_secs(90);

/// How often a platform is started when its ports are taken.
const STARTS: usize = 5;

/// What `--endpoints` writes.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoints {
    /// The file with the certificate that every site's certificate is signed by.
    pub ca: PathBuf,
    /// The name server that knows the sites.
    pub dns: String,
    /// The platforms.
    pub sites: Vec<Site>,
}

/// One platform.
#[derive(Debug, Clone, Deserialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its address.
    pub host: String,
    /// The port for mail from other servers.
    pub smtp: u16,
    /// The port for submission with STARTTLS.
    pub submission: u16,
    /// The port for submission with TLS.
    pub submissions: u16,
    /// The IMAP port with STARTTLS.
    pub imap: u16,
    /// The IMAP port with TLS.
    pub imaps: u16,
    /// The POP3 port with STLS.
    pub pop3: u16,
    /// The POP3 port with TLS.
    pub pop3s: u16,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its demo accounts.
    pub accounts: Vec<Account>,
}

/// A demo account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Its address and login.
    pub login: String,
    /// Its password.
    pub password: String,
}

/// A running `staffetta-local`; it ends when dropped.
#[derive(Debug)]
pub struct Local {
    process: Process,
    folder: tempfile::TempDir,
    endpoints: Endpoints,
}

impl Local {
    /// Starts it in a fresh data folder and waits until everything is ready. Another start at the same time may take the ports
    /// that this one has just found free: then it starts again.
    ///
    /// # Errors
    /// It ends, or is not ready in time; what it printed is in the message.
    pub async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut started = Self::start_once(arguments).await;
        for _ in 1..STARTS {
            match &started {
                Err(error) if format!("{error:#}").contains("in use") => {
                    started = Self::start_once(arguments).await;
                }
                _ => break,
            }
        }
        started
    }

    async fn start_once(arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("staffetta-test-").tempdir_in("/tmp")?;
        // PostgreSQL runs as a user of its own when the tests are root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let file = folder.path().join("endpoints.json");
        let mut all = vec!["--data".to_owned(), folder.path().join("data").display().to_string()];
        all.extend(["--endpoints".to_owned(), file.display().to_string()]);
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let log = folder.path().join("staffetta-local.log");
        let mut process =
            Process::start("staffetta-local", &binary("staffetta-local")?, &all, &[], &log).await?;
        let wait = async {
            while !file.exists() {
                if process.has_ended()?.is_some() {
                    anyhow::bail!("staffetta-local ended: {}", process.log());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        tokio::time::timeout(READY, wait).await.context("staffetta-local is not ready in time")??;
        let endpoints = serde_json::from_slice(&std::fs::read(&file)?)
            .context("the endpoints file is not as documented")?;
        Ok(Self { process, folder, endpoints })
    }

    /// Where everything listens.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The file that says where everything listens.
    #[must_use]
    pub fn endpoints_file(&self) -> PathBuf {
        self.folder.path().join("endpoints.json")
    }

    /// A folder for a test's own files; it goes when this is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything it printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The `staffetta` command for the first site of this platform.
    ///
    /// # Panics
    /// The binary was not built.
    #[must_use]
    pub fn ctl(&self) -> Command {
        let mut command = Command::new(binary("staffetta").expect("the staffetta command is built"));
        command.arg("--endpoints").arg(self.endpoints_file());
        command
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.signal("TERM")?;
        let status = self.process.ended().await?;
        anyhow::ensure!(status == 0, "staffetta-local ended with {status}: {}", self.process.log());
        Ok(())
    }
}

impl Drop for Local {
    /// SIGTERM and a moment, so that its PostgreSQL ends with it and its folder can go.
    fn drop(&mut self) {
        if !matches!(self.process.has_ended(), Ok(None)) || self.process.signal("TERM").is_err() {
            return;
        }
        for _ in 0..200 {
            if !matches!(self.process.has_ended(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends a signal to a process of ours.
///
/// # Errors
/// There is no such process.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status()?;
    anyhow::ensure!(status.success(), "cannot send SIG{name} to {pid}");
    Ok(())
}

/// A binary of this workspace, built in the same profile as the running test.
///
/// # Errors
/// It was not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let candidates = folders.map(|folder| folder.join(name));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built: run `cargo build --workspace --bins` first"))
}

/// A program of the system, on the PATH or where Debian puts servers.
///
/// # Errors
/// It is missing; the message names the package.
pub fn installed(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(servers)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed: install the package `{package}`"))
}
