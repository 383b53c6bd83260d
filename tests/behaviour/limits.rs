//! Sending budgets hold across processes to the message; failed logins lock out who fails, never who is meant.

use std::net::IpAddr;

use futures_util::future::join_all;
use staffetta_directory_api::SendingBudget;
use staffetta_tests::client::smtp::SmtpClient;
use staffetta_tests::cluster::{Cluster, Door, PASSWORD, Program, Setup};
use staffetta_tests::mail;

const MESSAGES: u32 = 15;
const RECIPIENTS: u32 = 20;

/// More than any test sends.
const PLENTY: u32 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_budgets_are_exact_across_ingress_processes_and_restarts() {
    Cluster::run(Setup::one(), async |cluster| {
        let site = cluster.site_mut(0);
        site.start(Program::SmtpIngress, 1).await?;
        let budget = |messages: u32, recipients: u32| SendingBudget {
            messages_per_hour: messages,
            messages_per_day: PLENTY,
            recipients_per_hour: recipients,
            recipients_per_day: PLENTY,
        };
        let bob = site.create_account("bob", None).await?;
        let carol = site.create_account("carol", None).await?;
        let alice = site.create_account("alice", Some(budget(MESSAGES, PLENTY))).await?;
        let dora = site.create_account("dora", Some(budget(PLENTY, RECIPIENTS))).await?;

        // What is not accepted costs nothing.
        let mut client = site.door().submission(&alice).await?;
        let forged = client.send_mail(&alice, &[&bob], &mail::message("forged", &bob, &bob)).await?;
        assert!((500..600).contains(&forged.code), "another's From is refused: {forged:?}");

        let doors = [site.door_of(0), site.door_of(1)];
        let sent = send_at_once(&doors, &alice, &[&bob]).await?;
        assert_eq!(sent, MESSAGES, "messages of one account, from two processes");
        let sent = send_at_once(&doors, &dora, &[&bob, &carol]).await?;
        assert_eq!(sent * 2, RECIPIENTS, "recipients of one account, from two processes");

        for program in [Program::Directory, Program::SmtpIngress] {
            site.kill(program, 0).await?;
            site.start(program, 0).await?;
        }
        assert_eq!(send_at_once(&doors, &alice, &[&bob]).await?, 0, "a restart forgets nothing");
        Ok(())
    })
    .await;
}

/// Four clients at each door send until the budget is used up; answers how many messages were accepted.
async fn send_at_once(doors: &[Door], account: &str, recipients: &[&str]) -> anyhow::Result<u32> {
    let clients = doors.iter().flat_map(|door| (0..4).map(move |_| door)).map(async |door| {
        let mut client = door.submission(account).await?;
        let mut accepted = 0;
        loop {
            if let Err(refused) = client.begin_mail(account, recipients).await {
                let text = refused.to_string();
                anyhow::ensure!(text.contains("450") && text.contains("try again in"), "{text}");
                return anyhow::Ok(accepted);
            }
            let reply = client.end_mail(&mail::message("budget", account, recipients[0])).await?;
            anyhow::ensure!(reply.code == 250, "{reply:?}");
            accepted += 1;
        }
    });
    join_all(clients).await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_logins_lock_out_who_fails_and_never_who_is_meant() {
    let setup = Setup::one()
        .with(Program::Directory, "LOCKOUT__PAIR_FAILURES", "3")
        .with(Program::Directory, "LOCKOUT__ADDRESS_FAILURES", "8")
        .with(Program::Directory, "LOCKOUT__MAX_DELAY", "200ms");
    Cluster::run(setup, async |cluster| {
        let site = cluster.site(0);
        let alice = site.create_account("alice", None).await?;
        let bob = site.create_account("bob", None).await?;
        let door = site.door();
        let (guesser, home) = (cluster.spare_host(0), cluster.spare_host(1));

        for _ in 0..3 {
            assert!(!login(&door, guesser, &alice, "wrong").await?);
        }
        assert!(!login(&door, guesser, &alice, PASSWORD).await?, "the pair is locked, whatever the password");
        assert!(login(&door, guesser, &bob, PASSWORD).await?, "another login from there is not");
        assert!(login(&door, home, &alice, PASSWORD).await?, "nor she from elsewhere");

        // From many addresses, each below its own limit.
        for address in 2..12 {
            assert!(!login(&door, cluster.spare_host(address), &alice, "wrong").await?);
        }
        assert!(login(&door, home, &alice, PASSWORD).await?, "many strangers cannot lock her out either");
        assert!(login(&door, cluster.spare_host(20), &alice, PASSWORD).await?, "from any address");

        // One address that tries many logins is locked as a whole.
        for number in 0..8 {
            assert!(!login(&door, guesser, &format!("guess{number}@north.test"), "wrong").await?);
        }
        assert!(!login(&door, guesser, &bob, PASSWORD).await?, "the address is locked");
        assert!(login(&door, home, &bob, PASSWORD).await?, "nobody else is");
        Ok(())
    })
    .await;
}

/// Whether a login from an address succeeds.
async fn login(door: &Door, from: IpAddr, login: &str, password: &str) -> anyhow::Result<bool> {
    let mut client = SmtpClient::connect_from(from, &door.name(), door.ports.submission).await?;
    client.ok("EHLO client.test", 250).await?;
    let mut client = client.start_tls(&door.tls).await?;
    match client.login(login, password).await {
        Ok(()) => Ok(true),
        Err(refused) => {
            let text = refused.to_string();
            anyhow::ensure!(text.contains("535") || text.contains("454"), "{text}");
            Ok(false)
        }
    }
}
