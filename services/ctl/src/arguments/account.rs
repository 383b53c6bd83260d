//! `staffetta account`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use staffetta_message::address::{Address, Domain};

use crate::size::Size;

const LIST: &str = "\
Examples:
  staffetta account list
  staffetta account list --domain example.org --usage
  staffetta account list --output json | jq -r '.[] | select(.state == \"disabled\") | .address'

JSON: [{id, address, state: active|disabled|deleting, shard, quota_bytes, quota_messages,
        used_bytes, used_messages (null without --usage),
        budget: {messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day} or null,
        created_at}]";
const SHOW: &str = "\
Any address of the account will do, an alias too. JSON: the fields of `account list --usage`, without the array.

Example:
  staffetta account show ann@example.org";
const CREATE: &str = "\
The password is typed twice without echo, or comes from --password-file or a pipe: one line of at most 1024 octets.
It is never an argument, where other users of the machine could see it. The domain must exist.

Examples:
  staffetta account create ann@example.org
  pwgen -s 24 1 | tee ann.txt | staffetta account create ann@example.org --quota 10GiB
  staffetta account create --from-file people.csv --quota 5GiB --skip-existing

The file of --from-file (`-`: standard input) has a line for each account:
  # address,password[,quota]    lines like this one and blank lines are skipped
  ann@example.org,correct horse battery
  ben@example.org,\"with, a comma and a \"\" quote\",500MB
Good lines are created even when others are bad; the summary names each failed line and why, and the exit code
is then 65. After an interruption run it again with --skip-existing.

JSON: the fields of `account show` (used_* null); with --from-file:
      {created, skipped, failed: [{line, address, reason}], not_tried}";
const PASSWORD: &str = "\
Every session of the account ends within minutes, at its next renewal.

Examples:
  staffetta account password ann@example.org
  staffetta account password ann@example.org --password-file new.txt

JSON: {changed}";
const QUOTA: &str = "\
Sizes: 10GiB, 500MB, a number of bytes, or unlimited. Mail beyond it is refused with 452 or 552.

Examples:
  staffetta account quota ann@example.org 20GiB
  staffetta account quota ann@example.org unlimited --messages 100000

JSON: the fields of `account show` (used_* null)";
const STATE: &str = "\
A disabled account still gets mail, but neither logs in nor sends; open sessions end within minutes.

Examples:
  staffetta account disable ann@example.org
  staffetta account enable ann@example.org

JSON: the fields of `account show` (used_* null)";
const DELETE: &str = "\
Removes the account and all its mail for ever, after the address was typed once more (or with --yes). From the
first moment on, mail to the address is refused. Interrupted? The same command goes on where it stopped.

Example:
  staffetta account delete ann@example.org --yes

JSON: {deleted, id, removed_messages}";

/// `staffetta account`.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Lists accounts
    #[command(after_help = LIST)]
    List(AccountList),
    /// Shows one account and what it stores
    #[command(after_help = SHOW)]
    Show(AccountName),
    /// Adds an account, or many from a file
    #[command(after_help = CREATE)]
    Create(AccountCreate),
    /// Sets a new password
    #[command(after_help = PASSWORD)]
    Password(AccountPassword),
    /// Sets how much an account may store
    #[command(after_help = QUOTA)]
    Quota(AccountQuota),
    /// Stops an account from logging in and sending
    #[command(after_help = STATE)]
    Disable(AccountName),
    /// Lets a disabled account log in and send again
    #[command(after_help = STATE)]
    Enable(AccountName),
    /// Removes an account and all its mail
    #[command(after_help = DELETE)]
    Delete(AccountDelete),
}

/// `staffetta account list`.
#[derive(Debug, Args)]
pub struct AccountList {
    /// Only those of this domain
    #[arg(long)]
    pub domain: Option<Domain>,
    /// Ask the mailstores what each account stores
    #[arg(long)]
    pub usage: bool,
}

/// One account.
#[derive(Debug, Args)]
pub struct AccountName {
    /// Address of the account
    pub address: Address,
}

/// `staffetta account create`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["address", "from_file"]))]
pub struct AccountCreate {
    /// Address and login of the new account
    pub address: Option<Address>,
    /// File with the password on its one line
    #[arg(long, value_name = "FILE", conflicts_with = "from_file")]
    pub password_file: Option<PathBuf>,
    /// The new quota.
    #[command(flatten)]
    pub quota: NewQuota,
    /// Many accounts.
    #[command(flatten)]
    pub import: Import,
}

/// The quota of a new account.
#[derive(Clone, Copy, Debug, Args)]
pub struct NewQuota {
    /// How much it may store, e.g. 10GiB or unlimited [default: the platform's]
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<Size>,
    /// How many messages it may store [default: unlimited]
    #[arg(long, value_name = "N", requires = "quota")]
    pub quota_messages: Option<u64>,
}

/// Many accounts at once.
#[derive(Debug, Args)]
pub struct Import {
    /// CSV file with a line for each account; - is standard input
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// Leave accounts that exist as they are
    #[arg(long, requires = "from_file", conflicts_with = "address")]
    pub skip_existing: bool,
    /// How many accounts are created at once
    #[arg(long, value_name = "N", default_value_t = 8, requires = "from_file")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
}

/// `staffetta account password`.
#[derive(Debug, Args)]
pub struct AccountPassword {
    /// Address of the account
    pub address: Address,
    /// File with the password on its one line
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `staffetta account quota`.
#[derive(Debug, Args)]
pub struct AccountQuota {
    /// Address of the account
    pub address: Address,
    /// How much it may store, e.g. 10GiB or unlimited
    pub size: Size,
    /// How many messages it may store; 0: unlimited [default: as it is]
    #[arg(long, value_name = "N")]
    pub messages: Option<u64>,
}

/// `staffetta account delete`.
#[derive(Debug, Args)]
pub struct AccountDelete {
    /// Address of the account
    pub address: Address,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

impl AccountCommand {
    pub(super) fn domain(&self) -> Option<&Domain> {
        let address = match self {
            Self::List(list) => return list.domain.as_ref(),
            Self::Create(create) => return create.address.as_ref().map(Address::domain),
            Self::Show(name) | Self::Disable(name) | Self::Enable(name) => &name.address,
            Self::Password(password) => &password.address,
            Self::Quota(quota) => &quota.address,
            Self::Delete(delete) => &delete.address,
        };
        Some(address.domain())
    }
}
