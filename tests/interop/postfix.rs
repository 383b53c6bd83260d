//! Mail to and from a real Postfix.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::cluster::{Cluster, Program, Setup};
use staffetta_tests::{eventually, mail};

use self::greylist::Greylist;
use self::server::{HOST, Postfix};

mod greylist;
mod server;

const ARRIVAL: Duration = Duration::from_secs(30);

/// Runs a test on a platform and a Postfix. A failure shows Postfix's log.
async fn run(test: impl AsyncFnOnce(&Cluster, &Postfix) -> anyhow::Result<()>) {
    let (host, zone) = server::zone();
    let setup = Setup { zones: vec![zone], ..Setup::one() };
    Cluster::run(setup, async |cluster| {
        let north = cluster.site(0).door().host;
        let postfix = Postfix::start(host, cluster.folder(), north, "").await?;
        test(cluster, &postfix).await.with_context(|| postfix.log())?;
        postfix.stop().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_relay_to_postfix_and_it_delivers() {
    run(async |cluster, postfix| {
        let alice = cluster.site(0).create_account("alice", None).await?;
        let mut client = cluster.site(0).door().submission(&alice).await?;
        let message = mail::message("outward", &alice, "user@postfix.test");
        let reply = client.send_mail(&alice, &["user@postfix.test"], &message).await?;
        ensure!(reply.code == 250, "{}", reply.text());
        let transaction = reply.transaction().context("the reply names the transaction")?;

        let delivered = postfix.arrived("user").await?;
        has(&delivered, "Return-Path: <alice@north.test>\n")?;
        has(&delivered, "(using TLSv1.3 with cipher ")?;
        has(&delivered, &format!("by {HOST} (Postfix) with ESMTPS"))?;
        has(&delivered, &transaction.to_string())?;
        ensure!(delivered.ends_with("\n\nThe body of outward.\n.dots\n"), "{delivered}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_relays_to_us() {
    run(async |cluster, postfix| {
        let bob = cluster.site(0).create_account("bob", None).await?;
        let message = mail::message("inward", "user@postfix.test", &bob);
        let reply = postfix.session().await?.send_mail("user@postfix.test", &[&bob], &message).await?;
        ensure!(reply.code == 250, "{}", reply.text());

        let received = inbox(cluster, &bob).await?;
        has(&received, "Return-Path: <user@postfix.test>\r\n")?;
        has(&received, "ESMTPS")?;
        has(&received, &format!("by {HOST} (Postfix)"))?;
        has(&received, "\r\n\r\nThe body of inward.\r\n.dots\r\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_refuses_and_we_bounce() {
    run(async |cluster, postfix| {
        let alice = cluster.site(0).create_account("alice", None).await?;
        let mut client = cluster.site(0).door().submission(&alice).await?;
        let message = mail::message("refused", &alice, "nobody@postfix.test");
        let recipients = ["nobody@postfix.test", "user@postfix.test"];
        let reply = client.send_mail(&alice, &recipients, &message).await?;
        ensure!(reply.code == 250, "{}", reply.text());

        let report = inbox(cluster, &alice).await?;
        has(&report, "Return-Path: <>\r\n")?;
        has(&report, "multipart/report")?;
        has(&report, "report-type=delivery-status")?;
        has(&report, "Final-Recipient: rfc822;")?;
        has(&report, "nobody@postfix.test\r\n")?;
        has(&report, "Action: failed\r\n")?;
        has(&report, "Status: 5.1.1\r\n")?;
        has(&report, "550 5.1.1")?;
        has(&report, "X-Test-Marker: refused\r\n")?;
        ensure!(report.matches("Final-Recipient:").count() == 1, "it reports one recipient: {report}");
        let delivered = postfix.arrived("user").await?;
        has(&delivered, "X-Test-Marker: refused\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_refuse_and_postfix_bounces() {
    run(async |cluster, postfix| {
        let bob = cluster.site(0).create_account("bob", None).await?;
        let message = mail::message("unwanted", "user@postfix.test", "nobody@north.test");
        let recipients = ["nobody@north.test", bob.as_str()];
        let reply = postfix.session().await?.send_mail("user@postfix.test", &recipients, &message).await?;
        ensure!(reply.code == 250, "{}", reply.text());

        let report = postfix.arrived("user").await?;
        has(&report, "Return-Path: <>\n")?;
        has(&report, "Final-Recipient: rfc822; nobody@north.test\n")?;
        has(&report, "Action: failed\n")?;
        has(&report, "Status: 5.1.1\n")?;
        ensure!(report.matches("Final-Recipient:").count() == 1, "it reports one recipient: {report}");
        has(&inbox(cluster, &bob).await?, "X-Test-Marker: unwanted\r\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_puts_us_off_and_takes_the_second_attempt() {
    let (host, zone) = server::zone();
    let setup = Setup { zones: vec![zone], ..Setup::one() };
    let setup = setup.with(Program::Outbound, "RETRY__REMOTE__INITIAL", "200ms");
    Cluster::run(setup, async |cluster| {
        let north = cluster.site(0).door().host;
        let greylist = Greylist::start(host).await?;
        let postfix = Postfix::start(host, cluster.folder(), north, &greylist.settings()).await?;
        let alice = cluster.site(0).create_account("alice", None).await?;
        let mut client = cluster.site(0).door().submission(&alice).await?;
        let message = mail::message("patient", &alice, "late@postfix.test");
        let reply = client.send_mail(&alice, &["late@postfix.test"], &message).await?;
        ensure!(reply.code == 250, "{}", reply.text());

        let delivered = postfix.arrived("late").await.with_context(|| postfix.log())?;
        has(&delivered, "X-Test-Marker: patient\n")?;
        ensure!(greylist.asked() == 2, "{} attempts:\n{}", greylist.asked(), postfix.log());
        has(&postfix.log(), "Greylisted, come back")?;
        let mut imap = cluster.site(0).door().imap(&alice).await?;
        ensure!(imap.ok("SELECT INBOX").await?.number(" EXISTS") == Some(0), "the sender is not bothered");
        postfix.stop().await
    })
    .await;
}

/// Waits for the only message in an account's mailbox.
async fn inbox(cluster: &Cluster, login: &str) -> anyhow::Result<String> {
    let mut imap: ImapClient = cluster.site(0).door().imap(login).await?;
    eventually::is_ok("the message is in the mailbox", ARRIVAL, async || {
        let exists = imap.ok("SELECT INBOX").await?.number(" EXISTS");
        ensure!(exists == Some(1), "{exists:?} messages for {login}");
        let answer = imap.ok("FETCH 1 BODY.PEEK[]").await?;
        Ok(answer.untagged.concat())
    })
    .await
}

fn has(text: &str, part: &str) -> anyhow::Result<()> {
    ensure!(text.contains(part), "not found: {part:?} in:\n{text}");
    Ok(())
}
