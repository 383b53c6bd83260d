//! Mailstore, ingress and outbound are killed at random while clients send. Afterwards every transaction that was answered 250
//! is in its mailboxes exactly once, and UIDs never went back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use staffetta_tests::cluster::{Cluster, Door, Program, Site};
use tokio_util::sync::CancellationToken;

use crate::load::{self, Load, PACE};

/// How long the killing lasts.
const STORM: Duration = Duration::from_secs(20);

const VICTIMS: [Program; 3] = [Program::Mailstore, Program::SmtpIngress, Program::Outbound];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_250_is_there_exactly_once_after_kills_at_random() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    Cluster::run(load::setup(), async |cluster| {
        let load = Load::start(cluster, seed).await?;
        let stop = CancellationToken::new();
        let watch = |account: &String| {
            tokio::spawn(watch_uids(cluster.site(0).door(), account.clone(), stop.clone()))
        };
        let watchers: Vec<_> = load.accounts.iter().map(watch).collect();
        let kills = storm(cluster.site_mut(0), seed).await?;
        let outcomes = load.stop().await?;
        eprintln!("kills: {kills:?}; {outcomes}");
        anyhow::ensure!(outcomes.accepted() >= 200, "too few messages to say anything: {outcomes}");
        outcomes.check(cluster.site(0)).await?;
        stop.cancel();
        for watcher in watchers {
            watcher.await??;
        }
        Ok(())
    })
    .await;
}

/// Kills one of the victims, waits a moment, starts it again; all of them run at the end.
async fn storm(site: &mut Site, seed: u64) -> anyhow::Result<BTreeMap<&'static str, u32>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = BTreeMap::new();
    let end = tokio::time::Instant::now() + STORM;
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(random.random_range(200..1_200))).await;
        let victim = VICTIMS[random.random_range(0..VICTIMS.len())];
        site.kill(victim, 0).await?;
        *kills.entry(victim.name()).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        site.start(victim, 0).await?;
    }
    Ok(kills)
}

/// Looks at a mailbox again and again: what is new has a greater UID than everything before, and UIDVALIDITY stays.
async fn watch_uids(door: Door, account: String, stop: CancellationToken) -> anyhow::Result<()> {
    let (mut validity, mut known) = (None, BTreeSet::new());
    while !stop.is_cancelled() {
        // The gateway answers NO while the store is away.
        if let Ok((now, uids)) = uids(&door, &account).await {
            anyhow::ensure!(validity.is_none_or(|before| before == now), "UIDVALIDITY of {account} changed");
            validity = Some(now);
            let greatest = known.last().copied().unwrap_or(0);
            let new: BTreeSet<u32> = uids.difference(&known).copied().collect();
            anyhow::ensure!(known.is_subset(&uids), "{account} lost messages: {known:?} then {uids:?}");
            anyhow::ensure!(
                new.iter().all(|uid| *uid > greatest),
                "{account}: {new:?} came after UID {greatest}"
            );
            known = uids;
        }
        tokio::time::sleep(PACE).await;
    }
    anyhow::ensure!(!known.is_empty(), "{account} was never seen with mail");
    Ok(())
}

async fn uids(door: &Door, account: &str) -> anyhow::Result<(u32, BTreeSet<u32>)> {
    let mut imap = door.imap(account).await?;
    let selected = imap.ok("EXAMINE INBOX").await?;
    let validity = selected.code("UIDVALIDITY").context("no UIDVALIDITY")?.parse()?;
    let answer = imap.ok("UID SEARCH ALL").await?;
    let found = answer.with("SEARCH").first().map(|line| line.trim_start_matches("SEARCH").to_owned());
    let uids = found.unwrap_or_default().split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    Ok((validity, uids))
}
