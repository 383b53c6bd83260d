//! The local platform as its users start it: the binary, its endpoints file, the `staffetta` command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

/// The longest a platform may take to be ready.
const READY: Duration = Duration::from_secs(90);

/// How often a platform is started when its ports are taken.
const STARTS: usize = 5;

/// The longest a platform may take to end.
const END: Duration = Duration::from_secs(60);

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
    child: Option<Child>,
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
        let folder = tempfile::Builder::new().prefix("staffetta-test-").tempdir()?;
        let file = folder.path().join("endpoints.json");
        let mut child = tokio::process::Command::new(binary("staffetta-local")?)
            .arg("--data")
            .arg(folder.path().join("data"))
            .arg("--endpoints")
            .arg(&file)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start staffetta-local")?;
        let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        let mut last = Vec::new();
        let wait = async {
            loop {
                tokio::select! {
                    line = lines.next_line() => match line? {
                        Some(line) => last.push(line),
                        None => anyhow::bail!("staffetta-local ended: {}", last.join("\n")),
                    },
                    () = tokio::time::sleep(Duration::from_millis(50)) => {
                        if file.exists() {
                            return Ok(());
                        }
                    }
                }
            }
        };
        tokio::time::timeout(READY, wait).await.context("staffetta-local is not ready in time")??;
        // Keep reading, so that it never waits for somebody to take its log.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let endpoints = serde_json::from_slice(&std::fs::read(&file)?)
            .context("the endpoints file is not as documented")?;
        Ok(Self { child: Some(child), folder, endpoints })
    }

    /// Where everything listens.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A folder for a test's own files; it goes when this is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The `staffetta` command for the first site of this platform.
    ///
    /// # Panics
    /// The binary was not built.
    #[must_use]
    pub fn ctl(&self) -> Command {
        let mut command = Command::new(binary("staffetta").expect("the staffetta command is built"));
        command.arg("--endpoints").arg(self.folder.path().join("endpoints.json"));
        command
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = child.id().context("staffetta-local has ended by itself")?;
        terminate(pid)?;
        let status = tokio::time::timeout(END, child.wait())
            .await
            .context("staffetta-local does not end in time")??;
        anyhow::ensure!(status.success(), "staffetta-local ended with {status}");
        Ok(())
    }
}

impl Drop for Local {
    /// SIGTERM and a moment, so that its PostgreSQL ends with it.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(pid) = child.id().filter(|pid| terminate(*pid).is_ok()) {
            for _ in 0..200 {
                if !matches!(child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            tracing_lost(pid);
        }
    }
}

#[expect(clippy::print_stderr, reason = "a test that leaves a process behind should be noticed")]
fn tracing_lost(pid: u32) {
    eprintln!("staffetta-local ({pid}) did not end on SIGTERM and is killed");
}

/// Sends SIGTERM to a process of ours.
///
/// # Errors
/// There is no such process.
pub fn terminate(pid: u32) -> anyhow::Result<()> {
    signal(pid, "TERM")
}

/// Sends SIGKILL to a process of ours.
///
/// # Errors
/// There is no such process.
pub fn kill(pid: u32) -> anyhow::Result<()> {
    signal(pid, "KILL")
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
