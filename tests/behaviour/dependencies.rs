//! Dependencies down is not process down: temporary answers, sessions stay, everything goes on afterwards, nothing is lost.

use std::time::Duration;

use anyhow::Context as _;
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::client::pop3::Pop3Client;
use staffetta_tests::client::smtp::SmtpClient;
use staffetta_tests::cluster::{Cluster, Program, Setup};
use staffetta_tests::{eventually, mail};

/// Until everything works again.
const RECOVERY: Duration = Duration::from_secs(30);

/// A push that is lost is found by a look every three seconds.
const PUSH: Duration = Duration::from_secs(15);

/// Ingress gives up early, or the tests would wait two minutes for each 451.
fn setup() -> Setup {
    Setup::one().with(Program::SmtpIngress, "ACCEPTANCE__DATA_REPLY_BUDGET", "3s")
}

/// One user in every protocol, with one message in the mailbox.
struct Sessions {
    alice: String,
    smtp: SmtpClient,
    imap: ImapClient,
    idle: ImapClient,
    pop3: Pop3Client,
}

impl Sessions {
    async fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let site = cluster.site(0);
        let alice = site.create_account("alice", None).await?;
        let mut smtp = site.door().submission(&alice).await?;
        send(&mut smtp, &alice, "before").await?;
        let mut imap = site.door().imap(&alice).await?;
        imap.ok("SELECT INBOX").await?;
        let mut idle = site.door().imap(&alice).await?;
        idle.ok("SELECT INBOX").await?;
        idle.idle().await?;
        let pop3 = site.door().pop3(&alice).await?;
        Ok(Self { alice, smtp, imap, idle, pop3 })
    }

    /// The same sessions send, read and are pushed to; the mailbox holds exactly these messages.
    async fn go_on(&mut self, marker: &str, messages: &[&str]) -> anyhow::Result<()> {
        let (alice, smtp) = (self.alice.clone(), &mut self.smtp);
        eventually::is_ok("mail is accepted again", RECOVERY, async || send(smtp, &alice, marker).await)
            .await?;
        let exists = format!("* {} EXISTS", messages.len());
        let pushed = async {
            while self.idle.response().await? != exists {}
            anyhow::Ok(())
        };
        tokio::time::timeout(PUSH, pushed).await.with_context(|| format!("{exists} was not pushed"))??;
        eventually::is_ok("IMAP reads again", RECOVERY, async || {
            self.imap.ok("NOOP").await?;
            let listed = mail::list(&mut self.imap).await?;
            let mut markers: Vec<&str> = listed.iter().map(|message| message.marker.as_str()).collect();
            // What waited in the queue comes later.
            markers.sort_unstable();
            let mut messages = messages.to_vec();
            messages.sort_unstable();
            anyhow::ensure!(markers == messages, "{markers:?} instead of {messages:?}");
            let bodies = self.imap.ok("FETCH 1:* (BODY.PEEK[])").await?;
            anyhow::ensure!(bodies.with("The body of ").len() == messages.len(), "{bodies:?}");
            Ok(())
        })
        .await?;
        let pop3 = &mut self.pop3;
        eventually::is_ok("POP3 reads again", RECOVERY, async || pop3.lines("RETR 1").await.map(drop)).await
    }
}

async fn send(smtp: &mut SmtpClient, alice: &str, marker: &str) -> anyhow::Result<()> {
    if let Err(error) = smtp.begin_mail(alice, &[alice]).await {
        smtp.ok("RSET", 250).await?;
        return Err(error);
    }
    let reply = smtp.end_mail(&mail::message(marker, alice, alice)).await?;
    anyhow::ensure!(reply.code == 250, "{} {}", reply.code, reply.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_mail_flows_and_sessions_hear_of_it() {
    Cluster::run(setup(), async |cluster| {
        let mut sessions = Sessions::open(cluster).await?;
        cluster.redis.flush().await?;
        sessions.go_on("flushed", &["before", "flushed"]).await?;
        cluster.redis.stop().await?;
        sessions.go_on("stopped", &["before", "flushed", "stopped"]).await?;
        let alice = sessions.alice.clone();
        cluster.site(0).door().submission(&alice).await?.ok("QUIT", 221).await?;
        cluster.site(0).door().imap(&alice).await?.ok("LOGOUT").await?;
        cluster.redis.resume().await?;
        sessions.go_on("resumed", &["before", "flushed", "stopped", "resumed"]).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_object_storage_is_away_answers_are_temporary_and_lists_still_work() {
    Cluster::run(setup(), async |cluster| {
        let mut sessions = Sessions::open(cluster).await?;
        let alice = sessions.alice.clone();
        cluster.s3.unavailable(true);

        let refused = send(&mut sessions.smtp, &alice, "refused").await.expect_err("nothing is durable now");
        assert!(refused.to_string().starts_with("451"), "{refused}");
        let appended = sessions.imap.append("INBOX", &mail::message("refused", &alice, &alice)).await?;
        assert!(appended.completion.starts_with("NO [UNAVAILABLE]"), "{appended:?}");
        let opened = sessions.imap.command("FETCH 1 (BODY.PEEK[TEXT])").await?;
        assert!(opened.completion.starts_with("NO [UNAVAILABLE]"), "{opened:?}");
        let listed = sessions.imap.ok("FETCH 1 (ENVELOPE FLAGS BODYSTRUCTURE)").await?;
        assert_eq!(listed.with("ENVELOPE").len(), 1, "a list does not touch bodies: {listed:?}");
        let retrieved = sessions.pop3.command("RETR 1").await?;
        assert!(retrieved.starts_with("-ERR [SYS/TEMP]"), "{retrieved}");
        assert!(cluster.s3.refused() > 0);

        cluster.s3.unavailable(false);
        sessions.go_on("after", &["before", "after"]).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_of_object_storage_only_delays_mail() {
    Cluster::run(Setup::one(), async |cluster| {
        let mut sessions = Sessions::open(cluster).await?;
        let alice = sessions.alice.clone();
        cluster.s3.unavailable(true);
        let (sent, ()) = tokio::join!(send(&mut sessions.smtp, &alice, "waited"), async {
            // The first refusals have been seen.
            while cluster.s3.refused() < 6 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            cluster.s3.unavailable(false);
        });
        sent?;
        sessions.go_on("after", &["before", "waited", "after"]).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_is_away_answers_are_temporary_and_sessions_stay() {
    Cluster::run(setup(), async |cluster| {
        let mut sessions = Sessions::open(cluster).await?;
        let alice = sessions.alice.clone();
        cluster.stop_postgres().await?;

        let refused = send(&mut sessions.smtp, &alice, "refused").await.expect_err("nothing is durable now");
        assert!(refused.to_string().contains("451"), "{refused}");
        let status = sessions.imap.command("STATUS Archive (MESSAGES)").await?;
        assert!(status.completion.starts_with("NO [UNAVAILABLE]"), "{status:?}");
        let retrieved = sessions.pop3.command("RETR 1").await?;
        assert!(retrieved.starts_with("-ERR [SYS/TEMP]"), "{retrieved}");
        let door = cluster.site(0).door();
        let login = door.imap(&alice).await.expect_err("nobody can be looked up now");
        assert!(login.to_string().contains("NO [UNAVAILABLE]"), "{login}");
        let login = door.pop3(&alice).await.expect_err("nobody can be looked up now");
        assert!(login.to_string().contains("-ERR [SYS/TEMP]"), "{login}");
        let login = door.submission(&alice).await.expect_err("nobody can be looked up now");
        assert!(login.to_string().contains("454"), "{login}");
        for gateway in [Program::SmtpIngress, Program::ImapGateway, Program::Pop3Gateway] {
            let ready = cluster.site(0).probe(gateway, 0, "/readyz").await?;
            assert!(ready.starts_with("HTTP/1.1 200"), "{} stays ready: {ready}", gateway.name());
        }

        cluster.resume_postgres().await?;
        sessions.go_on("after", &["before", "after"]).await
    })
    .await;
}
