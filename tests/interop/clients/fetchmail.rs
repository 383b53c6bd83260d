//! fetchmail by POP3 with TLS, and by IMAP with STARTTLS.

use std::process::Command;

use anyhow::ensure;
use staffetta_tests::local::{Local, installed};

use super::{ALICE, CERTIFICATE_NAME, PASSWORD, append, markers, platform, site, write_secret};
use crate::program::{Ended, imap, run};

/// fetchmail's exit code when there is nothing to fetch.
const NO_MAIL: i32 = 1;

/// Runs it once over alice's mail; what it fetches is added to the file `fetched`.
async fn fetch(local: &Local, port: u16, options: &str) -> anyhow::Result<Ended> {
    let folder = local.folder();
    let text = format!(
        "set no bouncemail\npoll {host} service {port} auth password {options} sslcertck \
         sslcertfile \"{ca}\" sslcommonname \"{CERTIFICATE_NAME}\" mda \"cat >> {file}\"\n",
        host = site(local).host,
        options = options.replace("USER", &format!("user \"{ALICE}\" password \"{PASSWORD}\"")),
        ca = local.endpoints().ca.display(),
        file = folder.join("fetched").display(),
    );
    let settings = folder.join("fetchmailrc");
    write_secret(&settings, &text)?;
    let mut command = Command::new(installed("fetchmail", "fetchmail")?);
    command.env("FETCHMAILHOME", folder).env("HOME", folder).env("LC_ALL", "C");
    command.args(["--verbose", "--nosyslog", "--timeout", "30", "--fetchmailrc"]).arg(settings);
    command.arg("--pidfile").arg(folder.join("fetchmail.pid"));
    run(command, "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchmail_fetches_by_pop3_and_imap() -> anyhow::Result<()> {
    let local = platform().await?;
    let mut session = imap(&local, ALICE, PASSWORD).await?;
    append(&mut session, "INBOX", "first").await?;
    append(&mut session, "INBOX", "second").await?;
    let fetched = || std::fs::read_to_string(local.folder().join("fetched"));

    let starttls = "protocol imap USER sslproto \"TLS1.2+\" keep";
    let ended = fetch(&local, site(&local).imap, starttls).await?;
    ensure!(ended.code == 0 && ended.stdout.contains("STARTTLS"), "{ended:?}");
    let text = fetched()?;
    for line in ["The body of first.", "The body of second."] {
        ensure!(text.matches(line).count() == 1, "{text}");
    }
    ensure!(
        session.ok("UID SEARCH SEEN").await?.untagged.contains(&"SEARCH 1 2".to_owned()),
        "\\Seen is kept"
    );
    let again = fetch(&local, site(&local).imap, starttls).await?;
    ensure!(again.code == NO_MAIL && fetched()? == text, "{again:?}");

    append(&mut session, "INBOX", "third").await?;
    let ended = fetch(&local, site(&local).pop3s, "protocol pop3 USER ssl fetchall nokeep").await?;
    ensure!(ended.code == 0, "{ended:?}");
    let text = fetched()?;
    for (marker, times) in [("first", 2), ("second", 2), ("third", 1)] {
        let body = format!("The body of {marker}.\n.dots\n");
        ensure!(text.matches(&body).count() == times, "{marker} in {text}");
    }
    session.ok("NOOP").await?;
    ensure!(markers(&mut session).await?.is_empty(), "POP3 leaves nothing behind");
    let again = fetch(&local, site(&local).pop3, "protocol pop3 USER sslproto \"TLS1.2+\"").await?;
    ensure!(again.code == NO_MAIL && again.stdout.contains("STLS"), "{again:?}");
    local.stop().await
}
