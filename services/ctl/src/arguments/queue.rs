//! `staffetta queue`.

use clap::{ArgGroup, Args, Subcommand};
use staffetta_message::address::{Address, Domain};
use uuid::Uuid;

const LIST: &str = "\
Oldest first. The transaction id is the one that the sender was given in its 250, and that stands in every log line.

Examples:
  staffetta queue list
  staffetta queue list --to slow.example --limit 20
  staffetta queue list --from ann@example.org --output json | jq -r '.[].transaction'

JSON: [{transaction, sender, size, received_at, expires_at,
        recipients: [{address, status: waiting|delivered|failed|cancelled, attempts, next_attempt_at,
                      last_reply: {host, code, enhanced, text} or null}]}]
      sender null is the null sender <> of a bounce.";
const SHOW: &str = "\
Also of a message that has left, for as long as its history is kept.

Example:
  staffetta queue show 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71

JSON: the fields of `queue list`, without the array, and
      attempts: [{started_at, elapsed_ms, destination, replies: [{address, host, code, enhanced, text}]}]";
const RETRY: &str = "\
Makes waiting deliveries due now instead of at their next time.

Examples:
  staffetta queue retry 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71
  staffetta queue retry --all

JSON: {deliveries}";
const CANCEL: &str = "\
Drops the recipients that still wait; the sender gets no bounce. A delivery under way is not interrupted.

Example:
  staffetta queue cancel 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71

JSON: {recipients}";
const STATS: &str = "JSON: {messages, recipients, due, in_flight, oldest_age_s}";

/// `staffetta queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Lists messages with a waiting recipient
    #[command(after_help = LIST)]
    List(QueueList),
    /// Shows one message: its recipients and every attempt
    #[command(after_help = SHOW)]
    Show(Transaction),
    /// Tries again now
    #[command(after_help = RETRY)]
    Retry(Retry),
    /// Drops a message without a bounce
    #[command(after_help = CANCEL)]
    Cancel(Transaction),
    /// Shows totals
    #[command(after_help = STATS)]
    Stats,
}

/// `staffetta queue list`.
#[derive(Debug, Args)]
pub struct QueueList {
    /// Only from this sender
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<Address>,
    /// Only with a recipient in this domain
    #[arg(long, value_name = "DOMAIN")]
    pub to: Option<Domain>,
    /// At most so many; 0: all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// One message.
#[derive(Debug, Args)]
pub struct Transaction {
    /// Transaction id, as in the 250 and in the logs
    pub transaction: Uuid,
}

/// `staffetta queue retry`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["transaction", "all"]))]
pub struct Retry {
    /// Transaction id, as in the 250 and in the logs
    pub transaction: Option<Uuid>,
    /// Everything that waits
    #[arg(long)]
    pub all: bool,
}
