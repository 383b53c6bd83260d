//! Mail flows from a client to a mailbox, on the same platform and to another one.

use std::time::Duration;

use anyhow::Context as _;
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::cluster::{Cluster, Door, Program, Setup};
use staffetta_tests::{eventually, mail};

const ARRIVAL: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_flows_through_separate_processes() {
    Cluster::run(Setup::two(), async |cluster| {
        let (north, south) = (cluster.site(0), cluster.site(1));
        let alice = north.create_account("alice", None).await?;
        let bob = north.create_account("bob", None).await?;
        let carol = south.create_account("carol", None).await?;
        let dora = south.create_account("dora", None).await?;
        let alias = south.create_alias("team", &dora).await?;

        let mut client = north.door().submission(&alice).await?;
        let recipients = [bob.as_str(), &carol, &alias];
        let message = mail::message("across", &alice, &bob);
        let reply = client.send_mail(&alice, &recipients, &message).await?;
        assert_eq!(reply.code, 250, "{}", reply.text());
        let transaction = reply.transaction().context("the reply names the transaction")?;

        let here = arrived(&north.door(), &bob).await?;
        let there = arrived(&south.door(), &carol).await?;
        assert_eq!(here.transactions, [transaction]);
        assert_eq!(there.transactions.last(), Some(&transaction), "the first hop is ours");
        assert_eq!(there.transactions.len(), 2, "and the second is theirs");

        let mut pop3 = south.door().pop3(&dora).await?;
        assert!(pop3.ok("STAT").await?.starts_with("+OK 1 "));
        let lines = pop3.lines("RETR 1").await?;
        assert!(lines.contains(&"The body of across.".to_owned()), "{lines:?}");
        assert!(lines.contains(&".dots".to_owned()), "{lines:?}");
        assert!(lines[0].starts_with(&format!("Return-Path: <{alice}>")), "{lines:?}");
        pop3.ok("DELE 1").await?;
        pop3.ok("QUIT").await?;
        let mut imap = south.door().imap(&dora).await?;
        assert_eq!(imap.ok("SELECT INBOX").await?.number(" EXISTS"), Some(0), "POP3 took it");

        for program in Program::ALL {
            let metrics = north.probe(program, 0, "/metrics").await?;
            assert!(metrics.starts_with("HTTP/1.1 200"), "{} has metrics: {metrics}", program.name());
        }
        the_mail_can_be_followed_in_the_logs(cluster, &transaction.to_string());
        Ok(())
    })
    .await;
}

/// One line for each hop, all with the first platform's transaction id; the second platform names its own.
fn the_mail_can_be_followed_in_the_logs(cluster: &Cluster, transaction: &str) {
    for program in [Program::SmtpIngress, Program::Mailstore, Program::Outbound] {
        let log = cluster.site(0).log(program, 0);
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(transaction)).collect();
        assert!(!lines.is_empty(), "{} says nothing about {transaction}:\n{log}", program.name());
    }
}

async fn arrived(door: &Door, login: &str) -> anyhow::Result<mail::Listed> {
    let mut imap = door.imap(login).await?;
    eventually::is_ok("the message is in the mailbox", ARRIVAL, async || {
        imap.ok("SELECT INBOX").await?;
        let mut messages = mail::list(&mut imap).await?;
        anyhow::ensure!(messages.len() == 1, "{messages:?}");
        let message = messages.remove(0);
        the_body_is_whole(&mut imap, message.uid).await?;
        Ok(message)
    })
    .await
}

async fn the_body_is_whole(imap: &mut ImapClient, uid: u32) -> anyhow::Result<()> {
    let answer = imap.ok(&format!("UID FETCH {uid} (BODY.PEEK[TEXT])")).await?;
    anyhow::ensure!(!answer.with("The body of across.\r\n.dots\r\n").is_empty(), "{answer:?}");
    Ok(())
}
