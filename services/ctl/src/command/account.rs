//! `staffetta account`.

mod delete;
pub(super) mod import;
mod view;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Serialize;
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_directory_api::{
    Account, AccountId, AccountSpec, AccountState, AccountUpdate, Administration as _, Quota, ShardName,
};
use staffetta_mailstore_api::{Accounts as _, QuotaUsage};
use staffetta_message::address::Address;

use self::view::View;
use super::all_pages;
use crate::accounts_file::{Malformed, Record};
use crate::arguments::{
    AccountCommand, AccountCreate, AccountList, AccountName, AccountPassword, AccountQuota, NewQuota,
};
use crate::error::CtlError;
use crate::output::{Column, Output, time};
use crate::platform::{Platform, Service};
use crate::size::Size;

/// Accounts that mailstore is asked about at once.
const USAGE_CHUNK: usize = 1000;

pub(super) async fn run(
    command: AccountCommand,
    records: Vec<Result<Record, Malformed>>,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let directory = platform.directory()?;
    match command {
        AccountCommand::List(arguments) => list(&arguments, &directory, platform, output).await,
        AccountCommand::Show(name) => show(&name, &directory, platform, output).await,
        AccountCommand::Create(arguments) if arguments.import.from_file.is_some() => {
            import::run(&arguments, records, &directory, output).await
        }
        AccountCommand::Create(arguments) => create(arguments, &directory, output).await,
        AccountCommand::Password(arguments) => password(&arguments, &directory, output).await,
        AccountCommand::Quota(arguments) => quota(&arguments, &directory, output).await,
        AccountCommand::Disable(name) => set_state(&name, AccountState::Disabled, &directory, output).await,
        AccountCommand::Enable(name) => set_state(&name, AccountState::Active, &directory, output).await,
        AccountCommand::Delete(arguments) => delete::run(&arguments, &directory, platform, output).await,
    }
}

async fn list(
    arguments: &AccountList,
    directory: &Service<DirectoryClient>,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let domain = arguments.domain.as_ref();
    let fetch = async |page| directory.blame(directory.port.list_accounts(domain, &page).await);
    let accounts = all_pages(fetch, |account: &Account| account.address.to_string()).await?;
    let usage = if arguments.usage { usage_of(&accounts, platform).await? } else { BTreeMap::new() };
    let views: Vec<View> =
        accounts.iter().map(|account| View::new(account, usage.get(&account.id))).collect();
    let mut columns = vec![
        Column::left("ADDRESS", |view: &View| view.address.clone()),
        Column::left("STATE", |view| view.state().to_owned()),
        Column::right("QUOTA", View::quota),
    ];
    if arguments.usage {
        columns.push(Column::right("USED", View::used));
        columns.push(Column::right("MESSAGES", View::used_messages));
    }
    columns.push(Column::left("SHARD", |view| view.shard.clone()));
    columns.push(Column::left("CREATED", |view| time(view.created_at)));
    output.list(&views, &columns)
}

/// What each account stores, one question for many accounts of a shard.
async fn usage_of(
    accounts: &[Account],
    platform: &Platform,
) -> Result<BTreeMap<AccountId, QuotaUsage>, CtlError> {
    let mut by_shard: BTreeMap<&ShardName, Vec<AccountId>> = BTreeMap::new();
    for account in accounts {
        by_shard.entry(&account.shard).or_default().push(account.id);
    }
    let mut usage = BTreeMap::new();
    for (shard, ids) in by_shard {
        let mailstore = platform.shard(shard)?;
        for chunk in ids.chunks(USAGE_CHUNK) {
            let answers = mailstore.blame(mailstore.port.usage(chunk).await)?;
            usage.extend(chunk.iter().copied().zip(answers));
        }
    }
    Ok(usage)
}

/// A mailstore that is away does not hide what directory knows.
async fn show(
    name: &AccountName,
    directory: &Service<DirectoryClient>,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let account = directory.blame(directory.port.account(&name.address).await)?;
    let usage = match usage_of(std::slice::from_ref(&account), platform).await {
        Ok(usage) => usage.get(&account.id).copied(),
        Err(error) => {
            output.console.note(&format!("staffetta: what the account stores is unknown: {error}"));
            None
        }
    };
    let view = View::new(&account, usage.as_ref());
    output.show(&view, &view.fields(), String::new)
}

async fn create(
    arguments: AccountCreate,
    directory: &Service<DirectoryClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let nobody = || CtlError::Usage("an account needs an address".to_owned());
    let address = arguments.address.ok_or_else(nobody)?;
    let file = arguments.password_file.as_deref();
    let password = output.console.new_password(file, &address.to_string())?;
    let spec = spec(address, password, arguments.quota.into());
    let account = directory.blame(directory.port.create_account(spec).await)?;
    let view = View::new(&account, None);
    output.done(&view, &format!("created account {} (id {})", view.address, view.id))
}

fn spec(address: Address, password: SecretString, quota: Option<Quota>) -> AccountSpec {
    AccountSpec { address, password, quota, budget: None, shard: None }
}

impl From<NewQuota> for Option<Quota> {
    fn from(new: NewQuota) -> Self {
        let messages = new.quota_messages.unwrap_or_default();
        new.quota.map(|size| Quota { bytes: size.octets(), messages })
    }
}

#[derive(Serialize)]
struct Changed {
    changed: String,
}

async fn password(
    arguments: &AccountPassword,
    directory: &Service<DirectoryClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let address = &arguments.address;
    let password = output.console.new_password(arguments.password_file.as_deref(), &address.to_string())?;
    directory.blame(directory.port.set_password(address, password).await)?;
    let sentence = format!("{address} has a new password; its sessions end at their next renewal");
    output.done(&Changed { changed: address.to_string() }, &sentence)
}

async fn quota(
    arguments: &AccountQuota,
    directory: &Service<DirectoryClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let messages = match arguments.messages {
        Some(messages) => messages,
        None => directory.blame(directory.port.account(&arguments.address).await)?.quota.messages,
    };
    let quota = Quota { bytes: arguments.size.octets(), messages };
    let update = AccountUpdate { quota: Some(quota), ..AccountUpdate::default() };
    let updated = directory.port.update_account(&arguments.address, update).await;
    let view = View::new(&directory.blame(updated)?, None);
    let messages = match quota.messages {
        0 => String::new(),
        messages => format!(" in at most {messages} messages"),
    };
    let size = Size::from_limit(quota.bytes);
    output.done(&view, &format!("{} may store {size}{messages}", view.address))
}

async fn set_state(
    name: &AccountName,
    state: AccountState,
    directory: &Service<DirectoryClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let update = AccountUpdate { state: Some(state), ..AccountUpdate::default() };
    let updated = directory.port.update_account(&name.address, update).await;
    let view = View::new(&directory.blame(updated)?, None);
    output.done(&view, &format!("{} is {}", view.address, view.state()))
}
