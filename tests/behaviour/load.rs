//! Clients that send without pause, and the account of what became of every message.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use staffetta_local::dns::Zone;
use staffetta_message::address::Domain;
use staffetta_outbound_api::{Queue as _, QueueFilter, RecipientStatus};
use staffetta_tests::cluster::{Cluster, Door, Program, Setup, Site};
use staffetta_tests::{eventually, mail};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CLIENTS: usize = 20;
const ACCOUNTS: usize = 5;
/// Between two messages of a client: about a hundred a second in all.
pub(crate) const PACE: Duration = Duration::from_millis(150);
/// Everything accepted has arrived by then: some leases must expire first.
const SETTLED: Duration = Duration::from_secs(60);
/// Mail for it stays in the queue: nobody listens at its exchanger.
const VOID: &str = "void.test";

/// One platform, and a domain whose mail stays in its queue.
pub(crate) fn setup() -> Setup {
    let exchanger = (10, format!("mx.{VOID}"), Some([127, 255, 255, 1].into()));
    let zones = vec![Zone { domain: VOID.to_owned(), exchangers: vec![exchanger] }];
    // What a killed worker held rests this long.
    Setup { zones, ..Setup::one() }.with(Program::Outbound, "SCHEDULE__LEASE", "3s")
}

/// Twenty clients that send until they are stopped.
pub(crate) struct Load {
    /// Who sends and receives.
    pub(crate) accounts: Vec<String>,
    stop: CancellationToken,
    senders: Vec<JoinHandle<Vec<Sent>>>,
}

impl Load {
    /// Makes the accounts and starts the clients.
    pub(crate) async fn start(cluster: &Cluster, seed: u64) -> anyhow::Result<Self> {
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            accounts.push(cluster.site(0).create_account(&format!("user{number}"), None).await?);
        }
        let (door, stop) = (cluster.site(0).door(), CancellationToken::new());
        let senders = (0..CLIENTS)
            .map(|number| tokio::spawn(send(door.clone(), accounts.clone(), number, seed, stop.clone())))
            .collect();
        Ok(Self { accounts, stop, senders })
    }

    /// Stops the clients and tells what became of their messages.
    pub(crate) async fn stop(self) -> anyhow::Result<Outcomes> {
        self.stop.cancel();
        let mut outcomes = Outcomes { accounts: self.accounts, sent: Vec::new() };
        for sender in self.senders {
            outcomes.sent.extend(sender.await?);
        }
        Ok(outcomes)
    }
}

/// What became of a message.
#[derive(Debug, Clone)]
struct Sent {
    marker: String,
    /// Local recipients.
    recipients: Vec<String>,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// 250 with this transaction.
    Accepted(Uuid),
    /// The final dot was answered otherwise.
    Refused,
    /// The connection broke between final dot and answer.
    CutOff,
}

/// Sends until told to stop; a broken connection is made again, a message never repeated.
async fn send(
    door: Door,
    accounts: Vec<String>,
    number: usize,
    seed: u64,
    stop: CancellationToken,
) -> Vec<Sent> {
    let mut random = StdRng::seed_from_u64(seed ^ (number as u64 + 1));
    let account = &accounts[number % ACCOUNTS];
    let mut sent = Vec::new();
    while !stop.is_cancelled() {
        let Ok(mut client) = door.submission(account).await else {
            tokio::time::sleep(PACE).await;
            continue;
        };
        let mut connected = true;
        while connected && !stop.is_cancelled() {
            let marker = format!("c{number}-{}", sent.len());
            let recipients = choose(&accounts, &mut random);
            let nowhere = format!("nobody@{VOID}");
            let mut all: Vec<&str> = recipients.iter().map(String::as_str).collect();
            // A remote recipient takes the local ones through the queue with it.
            if random.random_bool(0.25) {
                all.push(&nowhere);
            }
            if client.begin_mail(account, &all).await.is_err() {
                break;
            }
            let answer = client.end_mail(&mail::message(&marker, account, &recipients[0])).await;
            connected = answer.is_ok();
            let outcome = match answer {
                Ok(reply) if reply.code == 250 => {
                    reply.transaction().map_or(Outcome::Refused, Outcome::Accepted)
                }
                Ok(_) => Outcome::Refused,
                Err(_) => Outcome::CutOff,
            };
            sent.push(Sent { marker, recipients, outcome });
            tokio::time::sleep(PACE).await;
        }
    }
    sent
}

/// One recipient or two.
fn choose(accounts: &[String], random: &mut StdRng) -> Vec<String> {
    let first = random.random_range(0..accounts.len());
    let mut chosen = vec![accounts[first].clone()];
    if random.random_bool(0.25) {
        chosen.push(accounts[(first + 1) % accounts.len()].clone());
    }
    chosen
}

/// What the clients did.
#[derive(Debug)]
pub(crate) struct Outcomes {
    accounts: Vec<String>,
    sent: Vec<Sent>,
}

impl Outcomes {
    /// How many messages were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Accepted(_)))
    }

    /// How many senders were cut off between final dot and answer.
    pub(crate) fn cut_off(&self) -> usize {
        self.count(|outcome| outcome == Outcome::CutOff)
    }

    /// Waits until everything has settled; then each accepted message is in each of its mailboxes exactly once, by marker and
    /// by transaction, and no other message is there twice.
    pub(crate) async fn check(&self, site: &Site) -> anyhow::Result<()> {
        eventually::is_ok("the queue holds nothing for accounts here", SETTLED, async || {
            let left = queued_for_accounts_here(site).await?;
            anyhow::ensure!(left == 0, "{left} of {self} left");
            Ok(())
        })
        .await?;
        let lists = self.accounts.iter().map(async |account| {
            let mut imap = site.door().imap(account).await?;
            imap.ok("EXAMINE INBOX").await?;
            anyhow::Ok((account.as_str(), mail::list(&mut imap).await?))
        });
        let mailboxes: Mailboxes<'_> = try_join_all(lists).await?.into_iter().collect();
        let wrong: Vec<String> = self.sent.iter().flat_map(|sent| sent.mistakes(&mailboxes)).collect();
        anyhow::ensure!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        self.tell_of_those_cut_off(&mailboxes);
        Ok(())
    }

    fn tell_of_those_cut_off(&self, mailboxes: &Mailboxes<'_>) {
        let cut: Vec<&Sent> = self.sent.iter().filter(|sent| sent.outcome == Outcome::CutOff).collect();
        let there = cut
            .iter()
            .filter(|sent| sent.recipients.iter().any(|one| !sent.copies(one, mailboxes).is_empty()));
        eprintln!(
            "of {} cut off before their answer, {} were delivered all the same",
            cut.len(),
            there.count()
        );
    }

    fn count(&self, is: impl Fn(Outcome) -> bool) -> usize {
        self.sent.iter().filter(|sent| is(sent.outcome)).count()
    }
}

impl std::fmt::Display for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let refused = self.count(|outcome| outcome == Outcome::Refused);
        write!(
            f,
            "{} accepted, {refused} refused, {} cut off before their answer",
            self.accepted(),
            self.cut_off()
        )
    }
}

type Mailboxes<'a> = BTreeMap<&'a str, Vec<mail::Listed>>;

impl Sent {
    fn copies<'a>(&self, recipient: &str, mailboxes: &'a Mailboxes<'_>) -> Vec<&'a mail::Listed> {
        mailboxes[recipient].iter().filter(|message| message.marker == self.marker).collect()
    }

    fn mistakes(&self, mailboxes: &Mailboxes<'_>) -> Vec<String> {
        let wrong = self.recipients.iter().filter_map(|recipient| {
            let copies = self.copies(recipient, mailboxes);
            let right = match self.outcome {
                Outcome::Accepted(transaction) => {
                    matches!(copies.as_slice(), [copy] if copy.transactions == [transaction])
                }
                // Whoever got no 250 may find it delivered, but not twice.
                Outcome::Refused | Outcome::CutOff => copies.len() <= 1,
            };
            (!right).then(|| format!("{self:?} is with {recipient} {} times: {copies:?}", copies.len()))
        });
        wrong.collect()
    }
}

/// Recipients with an account here that the queue still works on.
async fn queued_for_accounts_here(site: &Site) -> anyhow::Result<usize> {
    let domain: Domain = site.domain().parse()?;
    let mut filter = QueueFilter {
        recipient_domain: Some(domain.clone()),
        limit: QueueFilter::MAX_LIMIT,
        ..QueueFilter::default()
    };
    let mut count = 0;
    loop {
        let page = site.queue().list(&filter).await?;
        let Some(last) = page.last() else { return Ok(count) };
        filter.after = Some(last.transaction);
        let recipients = page.iter().flat_map(|message| &message.recipients);
        let waiting = recipients.filter(|one| one.status == RecipientStatus::Waiting);
        count += waiting.filter(|one| *one.address.domain() == domain).count();
    }
}
