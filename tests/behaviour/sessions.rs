//! One user on two gateways, each with a mailstore of its own: both sessions see the same mailbox, and see it change.

use std::time::Duration;

use anyhow::Context as _;
use staffetta_tests::client::imap::{Answer, ImapClient};
use staffetta_tests::cluster::{Cluster, Program, Setup};
use staffetta_tests::mail;

/// A push takes milliseconds; a lost wake-up is found after three seconds.
const PUSH: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_moves_new_mail_and_expunges_reach_the_session_on_the_other_gateway() {
    Cluster::run(Setup::one(), async |cluster| {
        let (mut here, mut there) = two_sessions(cluster).await?;
        let alice = format!("alice@{}", cluster.site(0).domain());

        let idle = there.idle().await?;
        let mut smtp = cluster.site(0).door().submission(&alice).await?;
        let reply = smtp.send_mail(&alice, &[&alice], &mail::message("new", &alice, &alice)).await?;
        assert_eq!(reply.code, 250, "{}", reply.text());
        pushed(&mut there, "* 1 EXISTS").await?;
        there.done(&idle).await?;
        assert_eq!(here.ok("NOOP").await?.number(" EXISTS"), Some(1));

        let idle = there.idle().await?;
        here.ok("STORE 1 +FLAGS (\\Flagged $Forwarded)").await?;
        let fetched = pushed(&mut there, "* 1 FETCH").await?;
        assert!(fetched.contains("\\Flagged") && fetched.contains("$Forwarded"), "{fetched}");
        there.done(&idle).await?;

        let idle = here.idle().await?;
        for number in [2, 3] {
            let message = mail::message(&format!("appended {number}"), &alice, &alice);
            let answer = there.append("INBOX (\\Seen)", &message).await?;
            assert!(answer.completion.starts_with("OK [APPENDUID "), "{answer:?}");
            pushed(&mut here, &format!("* {number} EXISTS")).await?;
        }
        here.done(&idle).await?;
        assert_eq!(there.ok("NOOP").await?.completion.get(..2), Some("OK"));

        let idle = there.idle().await?;
        let moved = here.ok("MOVE 2 Archive").await?;
        let copied = moved.code("COPYUID").context("MOVE tells the new UID")?;
        pushed(&mut there, "* 2 EXPUNGE").await?;
        here.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await?;
        here.ok("EXPUNGE").await?;
        pushed(&mut there, "* 1 EXPUNGE").await?;
        there.done(&idle).await?;
        both_see_the_same(&mut here, &mut there, "INBOX", 1).await?;

        let archived = both_see_the_same(&mut here, &mut there, "Archive", 1).await?;
        let new_uid = copied.rsplit(' ').next().context("a UID")?;
        assert!(archived[0].contains(&format!("UID {new_uid}")), "{copied}: {archived:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_write_at_once_end_with_the_same_uids_and_modseqs() {
    const EACH: usize = 20;
    Cluster::run(Setup::one(), async |cluster| {
        let (mut here, mut there) = two_sessions(cluster).await?;
        let (first, second) = tokio::join!(write(&mut here, "here", EACH), write(&mut there, "there", EACH));
        let mut uids = [first?, second?].concat();
        uids.sort_unstable();
        uids.dedup();
        assert_eq!(uids.len(), 2 * EACH, "every message has a UID of its own");
        let lines = both_see_the_same(&mut here, &mut there, "INBOX", 2 * EACH).await?;
        assert_eq!(lines.iter().filter(|line| line.contains("\\Answered")).count(), 2 * EACH);
        Ok(())
    })
    .await;
}

/// Appends messages and flags each; answers their UIDs.
async fn write(imap: &mut ImapClient, marker: &str, count: usize) -> anyhow::Result<Vec<u32>> {
    let mut uids = Vec::new();
    for number in 0..count {
        let message = mail::message(&format!("{marker} {number}"), "a@north.test", "b@north.test");
        let code = imap.append("INBOX", &message).await?.code("APPENDUID").context("APPENDUID")?;
        let uid = code.rsplit(' ').next().context("a UID")?.parse()?;
        imap.ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Answered)")).await?;
        uids.push(uid);
    }
    anyhow::ensure!(uids.is_sorted(), "UIDs went back: {uids:?}");
    Ok(uids)
}

/// Alice on gateway 0 and on gateway 1, both in INBOX.
async fn two_sessions(cluster: &mut Cluster) -> anyhow::Result<(ImapClient, ImapClient)> {
    let site = cluster.site_mut(0);
    site.start(Program::Mailstore, 1).await?;
    site.start(Program::ImapGateway, 1).await?;
    let alice = site.create_account("alice", None).await?;
    let mut sessions = (site.door_of(0).imap(&alice).await?, site.door_of(1).imap(&alice).await?);
    for session in [&mut sessions.0, &mut sessions.1] {
        let selected = session.ok("SELECT INBOX (CONDSTORE)").await?;
        assert_eq!(selected.number(" EXISTS"), Some(0));
    }
    Ok(sessions)
}

/// The response with this text, out of an IDLE.
async fn pushed(imap: &mut ImapClient, text: &str) -> anyhow::Result<String> {
    let wait = async {
        loop {
            let response = imap.response().await?;
            if response.starts_with(text) {
                return anyhow::Ok(response);
            }
        }
    };
    tokio::time::timeout(PUSH, wait).await.with_context(|| format!("{text} was not pushed"))?
}

/// Both select the mailbox anew and find the same messages, UIDs, flags, MODSEQs and counters.
async fn both_see_the_same(
    here: &mut ImapClient,
    there: &mut ImapClient,
    mailbox: &str,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    let mut seen = Vec::new();
    for session in [here, there] {
        session.ok(&format!("EXAMINE {mailbox} (CONDSTORE)")).await?;
        let fetched = session.ok("UID FETCH 1:* (UID FLAGS MODSEQ)").await?;
        let status = "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)";
        let status = session.ok(&format!("STATUS {mailbox} {status}")).await?;
        seen.push((lines(&fetched, "FETCH"), lines(&status, "STATUS")));
        session.ok("SELECT INBOX (CONDSTORE)").await?;
    }
    let (first, second) = (seen.remove(0), seen.remove(0));
    anyhow::ensure!(first == second, "the sessions differ:\n{first:?}\n{second:?}");
    anyhow::ensure!(first.0.len() == count, "{mailbox} holds {:?}", first.0);
    Ok(first.0)
}

/// Responses of a kind, the session's own \Recent left out.
fn lines(answer: &Answer, kind: &str) -> Vec<String> {
    answer.with(kind).iter().map(|line| line.replace(" \\Recent", "").replace("\\Recent", "")).collect()
}
