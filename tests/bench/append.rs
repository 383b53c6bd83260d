//! From APPEND in one session to EXISTS in another.

use std::time::{Duration, Instant};

use crate::accept::message;
use crate::report::Measure;
use crate::target::{PUSH, Target};

const APPENDS: usize = 100;

/// A session in IDLE sees what another one appends.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) async fn push(target: &Target) -> anyhow::Result<Vec<Measure>> {
    let mut writer = target.imap(PUSH).await?;
    let mut waiting = target.imap(PUSH).await?;
    waiting.ok("SELECT INBOX").await?;
    let tag = waiting.idle().await?;
    let mut appends = Vec::with_capacity(APPENDS);
    let mut pushes: Vec<Duration> = Vec::with_capacity(APPENDS);
    for serial in 0..APPENDS {
        let started = Instant::now();
        let answer = writer.append("INBOX", &message(serial, 1000, &target.address(PUSH))).await?;
        anyhow::ensure!(answer.completion.starts_with("OK"), "APPEND: {}", answer.completion);
        let appended = Instant::now();
        while !waiting.response().await?.ends_with("EXISTS") {}
        pushes.push(appended.elapsed());
        appends.push(appended - started);
    }
    waiting.done(&tag).await?;
    appends.sort();
    pushes.sort();
    Ok(vec![
        Measure::time("APPEND, median", appends[APPENDS / 2].as_secs_f64()),
        Measure::time("APPEND's OK to EXISTS in IDLE, median", pushes[APPENDS / 2].as_secs_f64()),
        Measure::time("APPEND's OK to EXISTS in IDLE, 99th", pushes[APPENDS * 99 / 100].as_secs_f64()),
    ])
}
