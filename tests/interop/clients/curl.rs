//! curl with imaps, pop3s and smtps.

use std::process::Command;

use anyhow::ensure;
use staffetta_tests::local::{Local, installed};
use staffetta_tests::mail;

use super::{ALICE, BOB, PASSWORD, arrived, platform, site};
use crate::program::{run, succeed};

/// Lines of the large letter; some begin with a dot.
const LINES: usize = 4000;

fn curl(local: &Local, login: &str, url: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(installed("curl", "curl")?);
    command.args(["--silent", "--show-error", "--max-time", "60", "--ssl-reqd", "--cacert"]);
    command.arg(&local.endpoints().ca).args(["--user", &format!("{login}:{PASSWORD}"), url]).args(arguments);
    Ok(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_speaks_imaps_pop3s_and_smtps() -> anyhow::Result<()> {
    let local = platform().await?;
    let host = &site(&local).host;
    let large: String = (0..LINES).map(|line| format!("{}line {line}\r\n", ".".repeat(line % 3))).collect();
    let letter = String::from_utf8(mail::message("curl", ALICE, BOB))? + &large;
    let file = local.folder().join("letter.eml");
    std::fs::write(&file, &letter)?;
    let file = file.to_string_lossy();

    let smtps = format!("smtps://{host}:{}/client.test", site(&local).submissions);
    let envelope = ["--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file", &*file];
    succeed(curl(&local, ALICE, &smtps, &envelope)?).await?;
    let starttls = format!("smtp://{host}:{}/client.test", site(&local).submission);
    succeed(curl(&local, ALICE, &starttls, &envelope)?).await?;
    arrived(&local, BOB, 2).await?;

    let imaps = format!("imaps://{host}:{}/INBOX", site(&local).imaps);
    let found = succeed(curl(&local, BOB, &imaps, &["--request", "SEARCH SUBJECT curl"])?).await?;
    ensure!(found.trim_end() == "* SEARCH 1 2", "{found}");
    let by_imap = succeed(curl(&local, BOB, &format!("{imaps};MAILINDEX=1"), &[])?).await?;
    ensure!(by_imap.ends_with(&letter), "IMAP gives another letter: {}", &by_imap[..500.min(by_imap.len())]);
    succeed(curl(&local, BOB, &imaps, &["--upload-file", &*file])?).await?;
    arrived(&local, BOB, 3).await?;

    let pop3s = format!("pop3s://{host}:{}/", site(&local).pop3s);
    let sizes = succeed(curl(&local, BOB, &pop3s, &[])?).await?;
    ensure!(sizes.lines().count() == 3 && sizes.starts_with(&format!("1 {}\r\n", by_imap.len())), "{sizes}");
    let by_pop3 = succeed(curl(&local, BOB, &format!("{pop3s}1"), &[])?).await?;
    ensure!(by_pop3 == by_imap, "POP3 gives another letter: {}", &by_pop3[..500.min(by_pop3.len())]);
    let deleted =
        run(curl(&local, BOB, &pop3s, &["--request", "DELE 3", "--list-only", "--head"])?, "").await?;
    ensure!(deleted.code == 0, "{deleted:?}");
    arrived(&local, BOB, 2).await?;
    local.stop().await
}
