//! `make bench`: what a user feels, measured over the wire.
//!
//! Starts one platform (release build, PostgreSQL and object storage with fsync) and drives it with real SMTP, IMAP and POP3
//! sessions. With `--peer FILE` another server is driven in the same run, round by round in turn, and the ratio is printed.
//! Each answer is checked: a wrong count is an error, never a fast result.

mod accept;
mod append;
mod mailbox;
mod objects;
mod report;
mod target;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

use self::report::{Measure, Report};
use self::target::Target;

/// Benchmarks over the wire.
#[derive(Debug, Parser)]
#[command(
    after_help = "A peer is a JSON object: {\"name\", \"host\", \"smtp\", \"imap\", \"pop3\", \"domain\", \"user\", \"password\"}; \
                        `user` and `domain` make the addresses user1@domain, user2@domain, ..., which must exist."
)]
struct Options {
    /// Compare with the server that this file describes
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Measure a running server instead of starting one (same format as a peer)
    #[arg(long)]
    target: Option<PathBuf>,
    /// Parallel SMTP sessions, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "1,20,100")]
    sessions: Vec<usize>,
    /// Messages per SMTP measurement (a tenth of it with one session)
    #[arg(long, default_value_t = 4000)]
    messages: usize,
    /// Octets of each message
    #[arg(long, default_value_t = 10_000)]
    size: usize,
    /// Messages in the big mailbox
    #[arg(long, default_value_t = 10_000)]
    mailbox: usize,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (first, _platform) = match &options.target {
        Some(file) => (Target::read(file)?, None),
        None => {
            let (target, platform) = target::start().await.context("cannot start a platform to measure")?;
            (target, Some(platform))
        }
    };
    let mut targets = vec![first];
    if let Some(file) = &options.peer {
        targets.push(Target::read(file)?);
    }
    let mut report = Report::new(targets.iter().map(|target| target.name.clone()).collect());
    for target in &targets {
        eprintln!("{}: filling a mailbox of {}", target.name, options.mailbox);
        mailbox::fill(target, options.mailbox).await.with_context(|| format!("filling {}", target.name))?;
    }
    for round in 1..=options.rounds {
        for (index, target) in targets.iter().enumerate() {
            eprintln!("round {round} of {}: {}", options.rounds, target.name);
            let measures = measure(target, &options).await.with_context(|| target.name.clone())?;
            report.add(index, measures);
        }
    }
    if options.target.is_none() {
        for &sessions in &options.sessions {
            eprintln!("object store that takes 20 ms, {sessions} sessions");
            report.add(0, objects::slow_store(sessions, (options.messages / 4).max(1), options.size).await?);
        }
    }
    println!("{}", if options.json { report.json() } else { report.table() });
    Ok(())
}

async fn measure(target: &Target, options: &Options) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for &sessions in &options.sessions {
        let messages = if sessions == 1 { options.messages / 10 } else { options.messages };
        measures.extend(accept::submit_to_visible(target, sessions, messages.max(1), options.size).await?);
    }
    measures.extend(mailbox::login(target).await?);
    measures.extend(mailbox::read(target, options.mailbox).await?);
    measures.extend(mailbox::pop3(target).await?);
    measures.extend(append::push(target).await?);
    Ok(measures)
}
