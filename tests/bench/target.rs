//! The servers to measure.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde::Deserialize;
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::local::Local;

/// A server and its accounts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// Its name in the report.
    pub(crate) name: String,
    /// Its address.
    pub(crate) host: String,
    /// Its SMTP port for incoming mail.
    pub(crate) smtp: u16,
    /// Its IMAP port.
    pub(crate) imap: u16,
    /// Its POP3 port.
    pub pop3: u16,
    /// The domain of its accounts.
    pub(crate) domain: String,
    /// The local part of its accounts, before the number.
    pub(crate) user: String,
    /// The password of every account.
    pub(crate) password: String,
}

/// Accounts that receive mail.
pub(crate) const RECEIVERS: usize = 20;
/// The account with the big mailbox.
pub(crate) const BIG: usize = 101;
/// The account that is read by POP3.
pub(crate) const POP: usize = 102;
/// The account that waits for new mail.
pub(crate) const PUSH: usize = 103;

impl Target {
    /// Reads the description of a server.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} does not describe a server", file.display()))
    }

    /// The address of an account.
    pub(crate) fn address(&self, number: usize) -> String {
        format!("{}{number}@{}", self.user, self.domain)
    }

    /// A logged in IMAP session.
    pub(crate) async fn imap(&self, number: usize) -> anyhow::Result<ImapClient> {
        let mut client = ImapClient::connect(&self.host, self.imap).await?;
        client.login(&self.address(number), &self.password).await?;
        Ok(client)
    }
}

/// Starts a platform of one site with the accounts that the benchmarks use.
pub(crate) async fn start() -> anyhow::Result<(Target, Local)> {
    let local = Local::start(&["--sites", "1", "--no-demo"]).await?;
    let site = &local.endpoints().sites[0];
    let domain = site.domains[0].clone();
    let password = "benchmark password";
    let accounts = local.folder().join("accounts.csv");
    let numbers = (1..=RECEIVERS).chain([BIG, POP, PUSH]);
    let lines: String = numbers.map(|number| format!("user{number}@{domain},{password}\n")).collect();
    std::fs::write(&accounts, lines)?;
    let status = local
        .ctl()
        .args(["account", "create", "--from-file"])
        .arg(&accounts)
        .stdout(Stdio::null())
        .status()
        .context("cannot run the staffetta command")?;
    anyhow::ensure!(status.success(), "the accounts could not be created");
    let target = Target {
        name: "staffetta".to_owned(),
        host: site.host.clone(),
        smtp: site.smtp,
        imap: site.imap,
        pop3: site.pop3,
        domain,
        user: "user".to_owned(),
        password: password.to_owned(),
    };
    Ok((target, local))
}
