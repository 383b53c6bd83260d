//! `staffetta domain` and `staffetta alias`.

use clap::{Args, Subcommand};
use staffetta_message::address::{Address, Domain};

const DOMAIN_JSON: &str = "JSON: {name, catch_all, created_at}";
const DOMAIN_LIST: &str = "JSON: [{name, catch_all, created_at}]";
const CATCH_ALL: &str = "\
Mail for users that do not exist then goes to this account instead of being refused. Expect spam in it.

Examples:
  staffetta domain catch-all example.org ann@example.org
  staffetta domain catch-all example.org --none

JSON: {name, catch_all, created_at}";
const DOMAIN_CREATE: &str = "\
Creates the domain here; its MX record must name this platform's SMTP servers before mail arrives.

Examples:
  staffetta domain create example.org
  staffetta domain create müller.example

JSON: {name, catch_all, created_at}";
const DOMAIN_DELETE: &str = "\
Only an empty domain can be deleted: delete its accounts and aliases first (exit code 73 otherwise).

Example:
  staffetta domain delete example.org

JSON: {deleted}";
const ALIAS_CREATE: &str = "\
An alias that exists gets these targets instead of those that it had.

Examples:
  staffetta alias create info@example.org ann@example.org
  staffetta alias put team@example.org ann@example.org ben@example.org

JSON: {address, targets, changed_at}";
const ALIAS_LIST: &str = "\
Examples:
  staffetta alias list
  staffetta alias list --domain example.org --output json

JSON: [{address, targets, changed_at}]";
const ALIAS_DELETE: &str = "\
Example:
  staffetta alias delete info@example.org

JSON: {deleted}";

/// `staffetta domain`.
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// Lists all domains
    #[command(after_help = DOMAIN_LIST)]
    List,
    /// Shows one domain
    #[command(after_help = DOMAIN_JSON)]
    Show(DomainName),
    /// Adds a domain
    #[command(after_help = DOMAIN_CREATE)]
    Create(DomainName),
    /// Sets where mail for unknown users goes
    #[command(after_help = CATCH_ALL)]
    CatchAll(CatchAll),
    /// Removes an empty domain
    #[command(after_help = DOMAIN_DELETE)]
    Delete(DomainName),
}

/// One domain.
#[derive(Debug, Args)]
pub struct DomainName {
    /// The domain, e.g. example.org
    pub domain: Domain,
}

/// `staffetta domain catch-all`.
#[derive(Debug, Args)]
pub struct CatchAll {
    /// The domain
    pub domain: Domain,
    /// Address of the account that gets the mail
    #[arg(required_unless_present = "none")]
    pub target: Option<Address>,
    /// Refuse mail for unknown users again
    #[arg(long, conflicts_with = "target")]
    pub none: bool,
}

/// `staffetta alias`.
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Lists aliases
    #[command(after_help = ALIAS_LIST)]
    List(AliasList),
    /// Adds an alias, or replaces its targets
    #[command(visible_alias = "put", after_help = ALIAS_CREATE)]
    Create(AliasCreate),
    /// Removes an alias
    #[command(after_help = ALIAS_DELETE)]
    Delete(AliasName),
}

/// `staffetta alias list`.
#[derive(Debug, Args)]
pub struct AliasList {
    /// Only those of this domain
    #[arg(long)]
    pub domain: Option<Domain>,
}

/// `staffetta alias create`.
#[derive(Debug, Args)]
pub struct AliasCreate {
    /// The alias, in a domain of this platform
    pub alias: Address,
    /// Addresses of the accounts that it leads to
    #[arg(required = true)]
    pub targets: Vec<Address>,
}

/// One alias.
#[derive(Debug, Args)]
pub struct AliasName {
    /// The alias
    pub alias: Address,
}

impl DomainCommand {
    pub(super) fn domain(&self) -> Option<&Domain> {
        match self {
            Self::List => None,
            Self::Show(name) | Self::Create(name) | Self::Delete(name) => Some(&name.domain),
            Self::CatchAll(catch_all) => Some(&catch_all.domain),
        }
    }
}

impl AliasCommand {
    pub(super) fn domain(&self) -> Option<&Domain> {
        match self {
            Self::List(list) => list.domain.as_ref(),
            Self::Create(create) => Some(create.alias.domain()),
            Self::Delete(name) => Some(name.alias.domain()),
        }
    }
}
