//! A child process that never outlives the test, however the test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::local::signal;

/// Runs the command and tells its process id; kills it when standard input ends, which is when the test closed it or died.
/// Its own status is that of the command, 128 and more for a signal.
const WATCHDOG: &str = r#"exec 3<&0
"$@" 3<&- </dev/null >&2 &
child=$!
echo "$child"
exec >&2
{ read -r _ <&3; kill -KILL "$child" 2>/dev/null; } &
guard=$!
exec 3<&-
wait "$child"
status=$?
kill "$guard" 2>/dev/null
exit "$status""#;

/// The longest a process may take to end once it was told to.
const END: Duration = Duration::from_secs(60);

/// What a shell reports for a process that was ended by SIGKILL.
pub const KILLED: i32 = 128 + 9;

/// A running process; it is killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    watchdog: Child,
    _lifeline: ChildStdin,
}

impl Process {
    /// Starts a program; what it prints is added to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let file = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let lifeline = watchdog.stdin.take().context("no standard input")?;
        let output = watchdog.stdout.take().context("no standard output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("no process id")?;
        let pid = line.parse().context("no process id")?;
        Ok(Self { name: name.to_owned(), pid, log: log.to_owned(), watchdog, _lifeline: lifeline })
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal: `TERM`, `KILL`, `STOP`, ...
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(self.pid, name).with_context(|| self.name.clone())
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// It had ended by itself.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.signal("KILL")?;
        let status = self.ended().await?;
        anyhow::ensure!(status == KILLED, "{} had ended with {status}", self.name);
        Ok(())
    }

    /// Waits for its end and answers its status.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn ended(&mut self) -> anyhow::Result<i32> {
        let ended = tokio::time::timeout(END, self.watchdog.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", self.name))??;
        status.code().with_context(|| format!("the watchdog of {} was killed", self.name))
    }

    /// Its status if it has ended.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<i32>> {
        Ok(self.watchdog.try_wait()?.map(|status| status.code().unwrap_or(KILLED)))
    }

    /// Everything it printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
