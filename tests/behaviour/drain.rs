//! SIGTERM: what is under way is finished, nobody is cut between final dot and answer, everybody else is told goodbye.

use std::time::Duration;

use rand::Rng as _;
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::cluster::{Cluster, Program, Setup, Site};
use staffetta_tests::{eventually, mail};

use crate::load::{self, Load};
use crate::porter::Porter;

/// Load on a process before it is told to end.
const RUNNING: Duration = Duration::from_millis(1_500);

/// The drain budget is ten seconds.
const GOODBYE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_on_each_process_under_load_loses_nothing_and_cuts_nobody_off() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    Cluster::run(load::setup(), async |cluster| {
        let load = Load::start(cluster, seed).await?;
        let porter = Porter::start(cluster).await?;
        let site = cluster.site_mut(0);
        for program in Program::ALL {
            tokio::time::sleep(RUNNING).await;
            site.terminate(program, 0).await?;
            site.start(program, 0).await?;
        }
        tokio::time::sleep(RUNNING).await;
        let outcomes = load.stop().await?;
        eprintln!("{outcomes}");
        anyhow::ensure!(outcomes.accepted() >= 200, "too few messages to say anything: {outcomes}");
        anyhow::ensure!(outcomes.cut_off() == 0, "{outcomes}");
        porter.check(cluster.site(0)).await?;
        outcomes.check(cluster.site(0)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_ingress_finishes_the_message_and_tells_the_others_421() {
    Cluster::run(Setup::one(), async |cluster| {
        let site = cluster.site_mut(0);
        let alice = site.create_account("alice", None).await?;
        let mut silent = site.door().mx().await?;
        let mut busy = site.door().submission(&alice).await?;
        busy.begin_mail(&alice, &[&alice]).await?;
        busy.raw(format!("From: <{alice}>\r\nSubject: half").as_bytes()).await?;

        site.process(Program::SmtpIngress, 0)?.signal("TERM")?;
        let goodbye = tokio::time::timeout(GOODBYE, silent.reply()).await??;
        assert_eq!(goodbye.code, 421, "{goodbye:?}");
        assert!(silent.at_end().await?);

        let reply = busy.end_mail(b" a message\r\n\r\nand the rest\r\n").await?;
        assert_eq!(reply.code, 250, "{reply:?}");
        assert_eq!(tokio::time::timeout(GOODBYE, busy.reply()).await??.code, 421);
        site.ended_well(Program::SmtpIngress, 0).await?;
        let mut imap = site.door().imap(&alice).await?;
        assert_eq!(imap.ok("SELECT INBOX").await?.number(" EXISTS"), Some(1));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_gateways_finish_the_command_and_say_goodbye() {
    Cluster::run(Setup::one(), async |cluster| {
        let site = cluster.site_mut(0);
        let alice = site.create_account("alice", None).await?;
        imap_sessions_get_bye(site, &alice).await?;
        pop3_sessions_get_sys_temp(site, &alice).await
    })
    .await;
}

async fn imap_sessions_get_bye(site: &mut Site, alice: &str) -> anyhow::Result<()> {
    let message = mail::message("appended", alice, alice);
    let mut silent = site.door().imap(alice).await?;
    let mut idle = site.door().imap(alice).await?;
    let mut busy = site.door().imap(alice).await?;
    idle.ok("SELECT INBOX").await?;
    idle.idle().await?;
    let tag = busy.start(&format!("APPEND INBOX {{{}}}", message.len())).await?;
    assert!(busy.response().await?.starts_with('+'));
    let (half, rest) = message.split_at(20);
    busy.raw(half).await?;

    site.process(Program::ImapGateway, 0)?.signal("TERM")?;
    bye(&mut silent).await?;
    bye(&mut idle).await?;
    busy.raw(rest).await?;
    busy.raw(b"\r\n").await?;
    let answer = busy.finish(&tag).await?;
    assert!(answer.completion.starts_with("OK [APPENDUID "), "{answer:?}");
    // Whoever has just been answered may hear the goodbye together with the answer.
    if answer.with("BYE").is_empty() {
        bye(&mut busy).await?;
    }
    site.ended_well(Program::ImapGateway, 0).await?;
    site.start(Program::ImapGateway, 0).await?;
    let mut imap = site.door().imap(alice).await?;
    assert_eq!(imap.ok("SELECT INBOX").await?.number(" EXISTS"), Some(1));
    Ok(())
}

async fn bye(imap: &mut ImapClient) -> anyhow::Result<()> {
    loop {
        let response = tokio::time::timeout(GOODBYE, imap.response()).await??;
        if response.starts_with("* BYE") {
            anyhow::ensure!(imap.at_end().await?, "the connection stays open after BYE");
            return Ok(());
        }
        anyhow::ensure!(response.starts_with("* "), "not a goodbye: {response}");
    }
}

async fn pop3_sessions_get_sys_temp(site: &mut Site, alice: &str) -> anyhow::Result<()> {
    let mut pop3 = site.door().pop3(alice).await?;
    pop3.ok("DELE 1").await?;
    site.process(Program::Pop3Gateway, 0)?.signal("TERM")?;
    let refused = eventually::is_ok("the next command is refused", GOODBYE, async || {
        let answer = pop3.command("NOOP").await?;
        anyhow::ensure!(!answer.starts_with("+OK"), "{answer}");
        Ok(answer)
    })
    .await?;
    assert!(refused.starts_with("-ERR [SYS/TEMP]"), "{refused}");
    assert!(pop3.at_end().await?);
    site.ended_well(Program::Pop3Gateway, 0).await?;
    site.start(Program::Pop3Gateway, 0).await?;
    let mut pop3 = site.door().pop3(alice).await?;
    assert!(pop3.ok("STAT").await?.starts_with("+OK 1 "), "nothing is deleted without QUIT");
    Ok(())
}
