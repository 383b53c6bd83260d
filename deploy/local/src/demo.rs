//! A mail on its way, watched from outside: submitted on one platform, read on the other, each step with its time.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use staffetta_chassis::clock::{Clock, System};
use uuid::Uuid;

use crate::accounts::PASSWORD;
use crate::client::imap::ImapClient;
use crate::client::pop3::Pop3Client;
use crate::client::smtp::SmtpClient;
use crate::client::trust;
use crate::configuration::Layout;

/// The longest a mail may take from one platform to the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints each step as it is done.
struct Steps {
    clock: System,
    since: Instant,
}

impl Steps {
    fn start() -> Self {
        let clock = System;
        Self { clock, since: clock.instant() }
    }

    #[expect(clippy::print_stdout, reason = "the demonstration is shown to a person")]
    fn done(&mut self, what: &str) {
        let now = self.clock.instant();
        println!("  {:>9.1} ms  {what}", (now - self.since).as_secs_f64() * 1000.0);
        self.since = now;
    }
}

/// Sends one mail from the first account of `from` to the second account of `to` and reads it by IMAP, and another one to the third
/// account by POP3.
///
/// # Errors
/// A step fails.
pub async fn run(from: &Layout, to: &Layout, authority: &Path) -> anyhow::Result<()> {
    let marker = Uuid::now_v7().to_string();
    let sender = format!("alice@{}", from.domain);
    let reader = format!("bob@{}", to.domain);
    let other = format!("carol@{}", to.domain);
    let mut steps = Steps::start();

    let tls = trust(authority)?;
    let host = from.host.to_string();
    let client = SmtpClient::connect(&host, from.ports.submission).await.context("submission")?;
    let mut client = hello(client).await?.start_tls(&tls).await.context("STARTTLS")?;
    client.login(&sender, PASSWORD).await.context("AUTH")?;
    steps.done(&format!(
        "{sender} connects to {}:{}, STARTTLS, AUTH",
        from.hostname(),
        from.ports.submission
    ));
    let reply = client.send_mail(&sender, &[&reader, &other], &message(&sender, &reader, &marker)).await?;
    anyhow::ensure!(reply.code == 250, "not accepted: {}", reply.text());
    let transaction = reply.transaction().context("250 without a transaction id")?;
    steps.done(&format!("submits to {reader} and {other}: 250, durable, transaction {transaction}"));

    let host = to.host.to_string();
    let mut imap = ImapClient::connect(&host, to.ports.imap).await.context("IMAP")?.start_tls(&tls).await?;
    imap.login(&reader, PASSWORD).await.context("IMAP LOGIN")?;
    let number = arrival(&mut imap, &marker).await?;
    steps.done(&format!(
        "queue, MX lookup of {}, relay to {}:{}, mailbox",
        to.domain,
        to.hostname(),
        to.ports.smtp
    ));
    let headers =
        imap.ok(&format!("FETCH {number} (FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")).await?;
    anyhow::ensure!(!headers.with(&marker).is_empty(), "the header is not that of the mail");
    steps.done(&format!("{reader} reads the headers by IMAP"));
    let body = imap.ok(&format!("FETCH {number} (BODY[TEXT])")).await?;
    anyhow::ensure!(
        !body.with("handed from runner to runner").is_empty(),
        "the body is not that of the mail"
    );
    steps.done("  and opens the message");
    imap.ok("LOGOUT").await?;

    let mut pop3 = Pop3Client::connect(&host, to.ports.pop3).await.context("POP3")?.start_tls(&tls).await?;
    pop3.login(&other, PASSWORD).await.context("POP3 login")?;
    let count = pop3.lines("UIDL").await?.len();
    let lines = pop3.lines(&format!("RETR {count}")).await?;
    anyhow::ensure!(lines.iter().any(|line| line.contains(&marker)), "POP3 shows another message");
    pop3.ok(&format!("DELE {count}")).await?;
    pop3.ok("QUIT").await?;
    steps.done(&format!("{other} downloads and deletes by POP3"));
    Ok(())
}

async fn hello(mut client: SmtpClient) -> anyhow::Result<SmtpClient> {
    client.ok("EHLO laptop.test", 250).await?;
    Ok(client)
}

/// Waits in IDLE until the mail is there, and answers its number.
async fn arrival(imap: &mut ImapClient, marker: &str) -> anyhow::Result<String> {
    let wait = async {
        imap.ok("SELECT INBOX").await?;
        loop {
            let found = imap.ok(&format!("SEARCH SUBJECT {marker}")).await?;
            let number =
                found.untagged.iter().find_map(|line| line.strip_prefix("SEARCH ").map(str::to_owned));
            if let Some(number) = number {
                return anyhow::Ok(number);
            }
            let tag = imap.idle().await?;
            while !imap.response().await?.ends_with("EXISTS") {}
            imap.done(&tag).await?;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.context("the mail did not arrive in time")?
}

fn message(sender: &str, reader: &str, marker: &str) -> Vec<u8> {
    format!(
        "From: Alice <{sender}>\r\nTo: Bob <{reader}>\r\nSubject: Staffetta {marker}\r\n\r\n\
         Staffetta is Italian for a relay: mail handed from runner to runner.\r\n"
    )
    .into_bytes()
}
