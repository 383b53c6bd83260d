//! Logging in and reading.

use std::time::Instant;

use staffetta_tests::client::pop3::Pop3Client;
use tokio::task::JoinSet;

use crate::accept::message;
use crate::report::Measure;
use crate::target::{BIG, POP, RECEIVERS, Target};

const PARALLEL_LOGINS: usize = 20;
const LOGINS: usize = 1000;
const BODIES: usize = 1000;
const MESSAGE: usize = 4000;

/// Fills the mailbox `big` and the INBOX that POP3 reads.
pub(crate) async fn fill(target: &Target, count: usize) -> anyhow::Result<()> {
    for (account, mailbox, count) in [(BIG, "big", count), (POP, "INBOX", BODIES)] {
        let mut client = target.imap(account).await?;
        client.command(&format!("CREATE {mailbox}")).await?;
        for serial in 0..count {
            let message = message(serial, MESSAGE, &target.address(account));
            let answer = client.append(mailbox, &message).await?;
            anyhow::ensure!(answer.completion.starts_with("OK"), "APPEND: {}", answer.completion);
        }
    }
    Ok(())
}

/// Parallel logins.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) async fn login(target: &Target) -> anyhow::Result<Vec<Measure>> {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for session in 0..PARALLEL_LOGINS {
        let target = target.clone();
        running.spawn(async move {
            for turn in 0..LOGINS / PARALLEL_LOGINS {
                target.imap((session + turn) % RECEIVERS + 1).await?.ok("LOGOUT").await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(session) = running.join_next().await {
        session??;
    }
    Ok(vec![Measure::rate("login, 20 parallel", LOGINS, started.elapsed().as_secs_f64())])
}

/// SELECT, FETCH, SEARCH and STORE on the big mailbox.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) async fn read(target: &Target, count: usize) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    let mut client = target.imap(BIG).await?;
    let mut step = Instant::now();
    let mut take = |name: String, measures: &mut Vec<Measure>| {
        measures.push(Measure::time(name, step.elapsed().as_secs_f64()));
        step = Instant::now();
    };
    let selected = client.ok("SELECT big").await?;
    take(format!("SELECT of {count}"), &mut measures);
    anyhow::ensure!(
        selected.number("EXISTS") == u32::try_from(count).ok(),
        "wrong EXISTS: {:?}",
        selected.untagged
    );

    let envelopes = client.ok("FETCH 1:* (UID FLAGS ENVELOPE)").await?;
    take(format!("FETCH ENVELOPE of {count}"), &mut measures);
    anyhow::ensure!(envelopes.with("ENVELOPE").len() == count, "wrong number of envelopes");

    let bodies = BODIES.min(count);
    let all = client.ok(&format!("FETCH 1:{bodies} (BODY.PEEK[])")).await?;
    take(format!("BODY[] of {bodies}, one command"), &mut measures);
    anyhow::ensure!(all.with("BODY[]").len() == bodies, "wrong number of bodies");

    for number in 1..=bodies {
        let one = client.ok(&format!("FETCH {number} (BODY.PEEK[])")).await?;
        anyhow::ensure!(one.with("BODY[]").len() == 1, "no body for {number}");
    }
    take(format!("BODY[] of {bodies}, one by one"), &mut measures);

    let found = client.ok("SEARCH SUBJECT needle").await?;
    take(format!("SEARCH SUBJECT in {count}"), &mut measures);
    let hits = found.with("SEARCH").first().map_or(0, |line| line.split(' ').count() - 1);
    anyhow::ensure!(hits == count.div_ceil(100), "wrong number of hits: {hits}");

    for (operation, name) in [("+FLAGS", "STORE +FLAGS"), ("-FLAGS", "STORE -FLAGS")] {
        let stored = client.ok(&format!("STORE 1:* {operation} (\\Flagged)")).await?;
        take(format!("{name} on {count}"), &mut measures);
        anyhow::ensure!(stored.with("FETCH").len() == count, "wrong number of FETCH responses");
    }
    Ok(measures)
}

/// RETR of a whole maildrop.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) async fn pop3(target: &Target) -> anyhow::Result<Vec<Measure>> {
    let mut client = Pop3Client::connect(&target.host, target.pop3).await?;
    client.login(&target.address(POP), &target.password).await?;
    let started = Instant::now();
    for number in 1..=BODIES {
        let lines = client.lines(&format!("RETR {number}")).await?;
        anyhow::ensure!(lines.len() > 10, "message {number} is too short");
    }
    let elapsed = started.elapsed();
    client.ok("QUIT").await?;
    Ok(vec![Measure::time(format!("POP3 RETR of {BODIES}"), elapsed.as_secs_f64())])
}
