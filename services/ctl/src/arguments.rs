//! The command line and its help.

mod account;
mod address;
mod queue;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use staffetta_message::address::Domain;

pub use self::account::{
    AccountCommand, AccountCreate, AccountDelete, AccountList, AccountName, AccountPassword, AccountQuota,
    Import, NewQuota,
};
pub use self::address::{
    AliasCommand, AliasCreate, AliasList, AliasName, CatchAll, DomainCommand, DomainName,
};
pub use self::queue::{QueueCommand, QueueList, Retry, Transaction};
use crate::config::Whereabouts;
use crate::output::Format;

const HELP: &str = "\
Which platform:
  --endpoints FILE   one on this machine, started with `staffetta-local --endpoints FILE`; with several sites in
                     it, the one whose domain the command names, else the first, or --site NAME
  --config FILE      settings (TOML); without it /etc/staffetta/ctl.toml; STAFFETTA__DIRECTORY__TARGET=... and
                     so on in the environment go over the file:

    workload_key = { file = \"/run/secrets/workload-key\" }   # or [tls] with ca, certificate and key
    [directory]
    target = \"dns://directory.mail.svc:7000\"
    [queue]
    target = \"dns://outbound.mail.svc:7000\"
    [shards.main]
    target = \"dns://mailstore.mail.svc:7000\"
    [gateways]                                              # only for `status`
    imap = \"imap.example.org:143\"

Examples:
  staffetta --endpoints /tmp/platform.json status
  staffetta domain create example.org
  staffetta account create ann@example.org --quota 10GiB
  staffetta account create --from-file people.csv --skip-existing
  staffetta alias create info@example.org ann@example.org ben@example.org
  staffetta queue list --output json

Exit codes: 0 done, 64 wrong command line, 65 refused input, 66 unreadable file, 67 does not exist,
69 a service is away, 70 internal error, 73 exists already or in the way, 74 output failed,
77 not permitted, 78 unusable settings. Errors go to standard error, results to standard output.
In JSON, times are RFC 3339, sizes are octets, and null means unlimited, none or unknown.";

/// Manages a Staffetta mail platform: domains, accounts, aliases and the queue.
#[derive(Debug, Parser)]
#[command(name = "staffetta", version, after_help = HELP, max_term_width = 110, propagate_version = true)]
#[command(infer_long_args = false, disable_help_subcommand = false, arg_required_else_help = true)]
pub struct Arguments {
    /// Where the platform is.
    #[command(flatten)]
    pub platform: PlatformArguments,
    /// How results are written
    #[arg(long, short, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the platform is.
#[derive(Clone, Debug, Args)]
pub struct PlatformArguments {
    /// Endpoints file of a platform on this machine; goes before --config
    #[arg(long, global = true, value_name = "FILE")]
    pub endpoints: Option<PathBuf>,
    /// A site of the endpoints file, by its name
    #[arg(long, global = true, value_name = "NAME")]
    pub site: Option<String>,
    /// Settings file [default: /etc/staffetta/ctl.toml]
    #[arg(long, global = true, value_name = "FILE", env = "STAFFETTA_CONFIG")]
    pub config: Option<PathBuf>,
}

impl From<PlatformArguments> for Whereabouts {
    fn from(arguments: PlatformArguments) -> Self {
        let PlatformArguments { endpoints, site, config } = arguments;
        Self { endpoints, site, config }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Domains whose mail is delivered here
    #[command(subcommand)]
    Domain(DomainCommand),
    /// Accounts: people who log in, send and receive
    #[command(subcommand)]
    Account(AccountCommand),
    /// Aliases: addresses that lead to accounts
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Mail that is accepted and not yet delivered everywhere
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Whether every service answers, and how full the queue is
    #[command(after_help = STATUS_HELP)]
    Status,
}

const STATUS_HELP: &str = "\
Asks directory, each mailstore shard and the queue something small that needs their database, and waits for the
greeting of each gateway (an endpoints file names them; in a settings file they are the section [gateways]).
The exit code is 69 when one of them is away, so this fits into scripts and monitoring.

Examples:
  staffetta status
  staffetta status --output json | jq -r '.services[] | select(.reachable | not) | .name'

JSON: {services: [{name, address, reachable, elapsed_ms, detail}],
       queue: {messages, recipients, due, in_flight, oldest_age_s} or null}";

impl Command {
    /// The domain that the command is about, if its words name one.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(command) => command.domain(),
            Self::Account(command) => command.domain(),
            Self::Alias(command) => command.domain(),
            Self::Queue(_) | Self::Status => None,
        }
    }
}

#[cfg(test)]
mod tests;
