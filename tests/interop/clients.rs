//! Mail programs that people and scripts use, each with the platform's CA and nothing else to trust.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::local::{Local, Site, installed};
use staffetta_tests::{eventually, mail};

use crate::program::{ARRIVAL, imap, run, succeed};

mod curl;
mod fetchmail;
mod mbsync;

/// The program of a test in Python, with the standard library and nothing more.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python/mail_client.py");

/// The name in the certificate, for programs that do not look at the addresses in it.
const CERTIFICATE_NAME: &str = "mx.north.test";

/// The password of every demo account.
const PASSWORD: &str = "staffetta";

/// Who writes in these tests.
const ALICE: &str = "alice@north.test";

/// Who gets it.
const BOB: &str = "bob@north.test";

/// One platform without a demonstration.
async fn platform() -> anyhow::Result<Local> {
    Local::start(&["--no-demo", "--sites", "1"]).await
}

/// The first site.
fn site(local: &Local) -> &Site {
    &local.endpoints().sites[0]
}

/// The markers in INBOX, in UID order, once there are as many as expected.
async fn arrived(local: &Local, login: &str, expected: usize) -> anyhow::Result<Vec<String>> {
    let mut session = imap(local, login, PASSWORD).await?;
    eventually::is_ok("mail arrives", ARRIVAL, async || {
        session.ok("NOOP").await?;
        let found = markers(&mut session).await?;
        ensure!(found.len() == expected, "{found:?} in the mailbox");
        Ok(found)
    })
    .await
}

/// The markers in the selected mailbox, in UID order.
async fn markers(session: &mut ImapClient) -> anyhow::Result<Vec<String>> {
    Ok(mail::list(session).await?.into_iter().map(|listed| listed.marker).collect())
}

/// Puts a letter into a mailbox.
async fn append(session: &mut ImapClient, mailbox: &str, marker: &str) -> anyhow::Result<()> {
    let answer = session.append(mailbox, &mail::message(marker, BOB, ALICE)).await?;
    ensure!(answer.completion.starts_with("OK"), "{}", answer.completion);
    Ok(())
}

/// Writes a settings file that holds a password.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_submits_and_reads_by_imap_and_pop3() -> anyhow::Result<()> {
    let local = platform().await?;
    let mut python = Command::new(installed("python3", "python3")?);
    python.arg(SCRIPT).arg(local.folder().join("endpoints.json"));
    succeed(python).await?;
    local.stop().await
}

fn swaks(local: &Local, arguments: &[&str]) -> anyhow::Result<Command> {
    let site = site(local);
    let mut command = Command::new(installed("swaks", "swaks")?);
    command.args(["--server", &site.host, "--timeout", "30s", "--tls-verify", "--tls-ca-path"]);
    command.arg(&local.endpoints().ca).args(["--from", ALICE, "--to", BOB]).args(arguments);
    Ok(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_submits_with_starttls_and_auth() -> anyhow::Result<()> {
    let local = platform().await?;
    let (submission, submissions) =
        (site(&local).submission.to_string(), site(&local).submissions.to_string());
    let starttls = ["--tls", "--port", &submission];
    let direct = ["--tls-on-connect", "--port", &submissions];
    for (marker, connect, mechanism) in
        [("one", starttls, "PLAIN"), ("two", starttls, "LOGIN"), ("three", direct, "PLAIN")]
    {
        let field = format!("{}: {marker}", mail::MARKER);
        let login = ["--auth", mechanism, "--auth-user", ALICE, "--auth-password", PASSWORD];
        let arguments = [&connect[..], &login, &["--add-header", &field]].concat();
        let transcript = succeed(swaks(&local, &arguments)?).await?;
        ensure!(transcript.contains(" 235 2.7.0"), "{transcript}");
        ensure!(transcript.contains(" 250 2.0.0 accepted as "), "{transcript}");
    }
    let mut found = arrived(&local, BOB, 3).await?;
    found.sort();
    ensure!(found == ["one", "three", "two"], "{found:?}");

    let wrong = ["--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", "wrong"];
    let refused = run(swaks(&local, &[&starttls[..], &wrong].concat())?, "").await?;
    ensure!(refused.code == 28 && refused.stdout.contains(" 535 5.7.8"), "{refused:?}");
    let nobody = run(swaks(&local, &starttls)?, "").await?;
    ensure!(nobody.code == 23 && nobody.stdout.contains(" 530 5.7.0"), "{nobody:?}");
    local.stop().await.context("the platform ends as it should")
}
