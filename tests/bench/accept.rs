//! From the first octet of a submission to the message being visible in the mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use staffetta_tests::client::smtp::SmtpClient;
use tokio::task::JoinSet;

use crate::report::Measure;
use crate::target::{RECEIVERS, Target};

/// Accepts messages over parallel sessions, one connection per message, and waits until STATUS counts them all.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) async fn submit_to_visible(
    target: &Target,
    sessions: usize,
    messages: usize,
    size: usize,
) -> anyhow::Result<Vec<Measure>> {
    let before = counted(target).await?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..sessions {
        let (target, next) = (target.clone(), Arc::clone(&next));
        running.spawn(async move { deliver(&target, &next, messages, size).await });
    }
    let mut latencies = Vec::with_capacity(messages);
    while let Some(session) = running.join_next().await {
        latencies.extend(session??);
    }
    let accepted = started.elapsed();
    while counted(target).await? < before + messages {
        anyhow::ensure!(started.elapsed() < Duration::from_secs(120), "not all messages became visible");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let visible = started.elapsed();
    latencies.sort();
    let name = |what: &str| format!("{what}, {sessions} sessions");
    Ok(vec![
        Measure::rate(name("mail accepted"), messages, accepted.as_secs_f64()),
        Measure::time(name("acceptance, median"), latencies[latencies.len() / 2].as_secs_f64()),
        Measure::time(name("acceptance, 99th"), latencies[latencies.len() * 99 / 100].as_secs_f64()),
        Measure::rate(name("submit to visible"), messages, visible.as_secs_f64()),
    ])
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn deliver(
    target: &Target,
    next: &AtomicUsize,
    messages: usize,
    size: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let serial = next.fetch_add(1, Ordering::Relaxed);
        if serial >= messages {
            return Ok(latencies);
        }
        let recipient = target.address(serial % RECEIVERS + 1);
        let message = message(serial, size, &recipient);
        let started = Instant::now();
        let mut client = SmtpClient::connect(&target.host, target.smtp).await?;
        client.ok("EHLO bench.test", 250).await?;
        let reply = client.send_mail("sender@load.test", &[&recipient], &message).await?;
        anyhow::ensure!(reply.code == 250, "not accepted: {} {}", reply.code, reply.text());
        latencies.push(started.elapsed());
        client.ok("QUIT", 221).await?;
    }
}

/// Messages in all INBOXes.
async fn counted(target: &Target) -> anyhow::Result<usize> {
    let mut sum = 0;
    for number in 1..=RECEIVERS {
        let answer = target.imap(number).await?.ok("STATUS INBOX (MESSAGES)").await?;
        let count = answer
            .untagged
            .iter()
            .find_map(|line| line.split("MESSAGES ").nth(1)?.strip_suffix(')')?.parse::<usize>().ok());
        sum += count.ok_or_else(|| anyhow::anyhow!("STATUS told no number of messages"))?;
    }
    Ok(sum)
}

/// A message of about `size` octets.
pub(crate) fn message(serial: usize, size: usize, recipient: &str) -> Vec<u8> {
    let needle = if serial.is_multiple_of(100) { " needle" } else { "" };
    let mut message = format!(
        "From: Sender {0} <sender{0}@load.test>\r\nTo: <{recipient}>\r\nSubject: report {serial}{needle}\r\n\
         Date: Mon, 01 Jan 2024 12:00:00 +0000\r\nMessage-ID: <bench.{serial}@load.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n",
        serial % 97
    );
    while message.len() < size {
        message.push_str("All the world's a stage, and all the men and women merely players in it.\r\n");
    }
    message.into_bytes()
}
