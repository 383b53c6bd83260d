//! A mailbox that some clients fill by IMAP and one empties by POP3, and the account of every message.

use std::collections::{BTreeMap, BTreeSet};

use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::cluster::{Cluster, Door, Site};
use staffetta_tests::mail;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::load::PACE;

const APPENDERS: usize = 3;

/// The clients at work.
pub(crate) struct Porter {
    account: String,
    stop: CancellationToken,
    appenders: Vec<JoinHandle<Appended>>,
    collector: JoinHandle<Collected>,
}

impl Porter {
    /// Makes the account and starts the clients.
    pub(crate) async fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        let account = cluster.site(0).create_account("porter", None).await?;
        let (door, stop) = (cluster.site(0).door(), CancellationToken::new());
        let appenders = (0..APPENDERS)
            .map(|number| tokio::spawn(append(door.clone(), account.clone(), number, stop.clone())))
            .collect();
        let collector = tokio::spawn(collect(door, account.clone(), stop.clone()));
        Ok(Self { account, stop, appenders, collector })
    }

    /// Stops the clients. Each message whose APPEND was answered OK was collected once or is still there, and no APPEND went
    /// without an answer.
    pub(crate) async fn check(self, site: &Site) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut appended = Appended::default();
        for appender in self.appenders {
            let more = appender.await?;
            appended.stored.extend(more.stored);
            appended.unanswered += more.unanswered;
        }
        let collected = self.collector.await?;
        let mut imap = site.door().imap(&self.account).await?;
        let left = if imap.ok("EXAMINE INBOX").await?.number(" EXISTS") == Some(0) {
            Vec::new()
        } else {
            mail::list(&mut imap).await?
        };
        let (stored, taken) = (appended.stored.len(), collected.taken.len());
        eprintln!("{stored} appended, {taken} collected, {} left", left.len());
        anyhow::ensure!(
            appended.unanswered == 0,
            "{} APPENDs were cut before their answer",
            appended.unanswered
        );
        anyhow::ensure!(stored > 20 && taken > 20, "too few messages to say anything");
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for marker in collected.taken.iter().chain(left.iter().map(|listed| &listed.marker)) {
            *times.entry(marker).or_default() += 1;
        }
        for marker in &appended.stored {
            match times.get(marker.as_str()).copied().unwrap_or_default() {
                1 => {}
                0 if collected.unanswered.contains(marker) => {}
                wrong => anyhow::bail!("{marker} was there {wrong} times"),
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Appended {
    /// Answered OK.
    stored: Vec<String>,
    /// Sent whole, and not answered.
    unanswered: usize,
}

async fn append(door: Door, account: String, number: usize, stop: CancellationToken) -> Appended {
    let (mut done, mut count) = (Appended::default(), 0);
    while !stop.is_cancelled() {
        let Ok(mut imap) = door.imap(&account).await else {
            tokio::time::sleep(PACE).await;
            continue;
        };
        while !stop.is_cancelled() {
            count += 1;
            let marker = format!("a{number}-{count}");
            let message = mail::message(&marker, &account, &account);
            let Ok(tag) = announce(&mut imap, message.len()).await else { break };
            if imap.raw(&message).await.is_err() || imap.raw(b"\r\n").await.is_err() {
                break;
            }
            match imap.finish(&tag).await {
                Ok(answer) if answer.completion.starts_with("OK") => done.stored.push(marker),
                Ok(_) => {}
                Err(_) => {
                    done.unanswered += 1;
                    break;
                }
            }
            tokio::time::sleep(PACE).await;
        }
    }
    done
}

/// APPEND up to the server's go-ahead.
async fn announce(imap: &mut ImapClient, length: usize) -> anyhow::Result<String> {
    let tag = imap.start(&format!("APPEND INBOX {{{length}}}")).await?;
    let go_ahead = imap.response().await?;
    anyhow::ensure!(go_ahead.starts_with('+'), "{go_ahead}");
    Ok(tag)
}

#[derive(Debug, Default)]
struct Collected {
    /// Read, and deleted by a QUIT that was answered `+OK`.
    taken: Vec<String>,
    /// Read, and deleted or not: the answer to QUIT did not come.
    unanswered: BTreeSet<String>,
}

async fn collect(door: Door, account: String, stop: CancellationToken) -> Collected {
    let mut collected = Collected::default();
    while !stop.is_cancelled() {
        // A gateway that drains, a store that is away: next time.
        let _ = collect_once(&door, &account, &mut collected).await;
        tokio::time::sleep(PACE).await;
    }
    collected
}

async fn collect_once(door: &Door, account: &str, collected: &mut Collected) -> anyhow::Result<()> {
    let mut pop3 = door.pop3(account).await?;
    let count = pop3.lines("LIST").await?.len();
    let mut read = Vec::new();
    for number in 1..=count {
        let lines = pop3.lines(&format!("RETR {number}")).await?;
        let prefix = format!("{}: ", mail::MARKER);
        read.extend(lines.iter().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned));
        pop3.ok(&format!("DELE {number}")).await?;
    }
    match pop3.command("QUIT").await {
        Ok(answer) if answer.starts_with("+OK") => collected.taken.extend(read),
        Ok(_) => {}
        Err(_) => collected.unanswered.extend(read),
    }
    Ok(())
}
