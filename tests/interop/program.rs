//! Programs that are run to their end.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::client::trust;
use staffetta_tests::local::Local;
use tokio::io::AsyncWriteExt as _;

/// The longest a program may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a letter may be on its way.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(30);

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; -1 for a signal.
    pub(crate) code: i32,
    /// What it wrote.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

/// Runs a program with `input` on its standard input.
///
/// # Errors
/// It cannot be started, or does not end in time and was killed.
pub(crate) async fn run(command: Command, input: &str) -> anyhow::Result<Ended> {
    let name = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let ended = async {
        // Whether it reads its input is its own business.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(PATIENCE, ended)
        .await
        .with_context(|| format!("does not end in time: {name}"))??;
    Ok(Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program that must end with 0, and answers its standard output.
///
/// # Errors
/// As [`run`], or another exit code.
pub(crate) async fn succeed(command: Command) -> anyhow::Result<String> {
    let name = format!("{command:?}");
    let Ended { code, stdout, stderr } = run(command, "").await?;
    anyhow::ensure!(code == 0, "exit code {code}: {name}\n{stdout}\n{stderr}");
    Ok(stdout)
}

/// A session of the first site with INBOX selected.
///
/// # Errors
/// The login is refused.
pub(crate) async fn imap(local: &Local, login: &str, password: &str) -> anyhow::Result<ImapClient> {
    let (endpoints, site) = (local.endpoints(), &local.endpoints().sites[0]);
    let mut imap = ImapClient::connect_tls(&site.host, site.imaps, &trust(&endpoints.ca)?).await?;
    imap.login(login, password).await?;
    imap.ok("SELECT INBOX").await?;
    Ok(imap)
}
