//! Rows as the statements answer them, and what they mean in the port's words.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use staffetta_directory_api::{
    Account, AccountId, AccountState, Alias, DirectoryError, Domain, Quota, SendingBudget, ShardEpoch,
    ShardName,
};
use staffetta_message::address::{Address, Domain as DomainName};

use crate::error::corrupt;

/// `address.kind` of an alias.
pub(crate) const ALIAS: i16 = 2;
/// `address.kind` of a catch-all.
pub(crate) const CATCH_ALL: i16 = 3;

#[derive(FromRow)]
pub(crate) struct DomainRow {
    name: String,
    created_at: DateTime<Utc>,
    catch_all: Option<String>,
}

#[derive(FromRow)]
pub(crate) struct AccountRow {
    id: i64,
    address: String,
    state: i16,
    shard: String,
    shard_epoch: i32,
    quota_bytes: i64,
    quota_messages: i64,
    created_at: DateTime<Utc>,
    #[sqlx(flatten)]
    budget: BudgetColumns,
}

/// The columns of `sending_budget` behind a left join: all or none.
#[derive(Clone, Copy, FromRow)]
pub(crate) struct BudgetColumns {
    messages_per_hour: Option<i64>,
    messages_per_day: Option<i64>,
    recipients_per_hour: Option<i64>,
    recipients_per_day: Option<i64>,
}

#[derive(FromRow)]
pub(crate) struct AliasRow {
    name: String,
    targets: Vec<String>,
    created_at: DateTime<Utc>,
}

impl TryFrom<DomainRow> for Domain {
    type Error = DirectoryError;

    fn try_from(row: DomainRow) -> Result<Self, DirectoryError> {
        Ok(Self {
            name: domain(&row.name)?,
            catch_all: row.catch_all.as_deref().map(address).transpose()?,
            created_at: row.created_at,
        })
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = DirectoryError;

    fn try_from(row: AccountRow) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: AccountId(row.id),
            address: address(&row.address)?,
            state: state(row.state)?,
            shard: ShardName(row.shard),
            epoch: ShardEpoch(row.shard_epoch),
            quota: quota(row.quota_bytes, row.quota_messages),
            budget: row.budget.into(),
            created_at: row.created_at,
        })
    }
}

impl TryFrom<AliasRow> for Alias {
    type Error = DirectoryError;

    fn try_from(row: AliasRow) -> Result<Self, DirectoryError> {
        let targets: Result<Vec<Address>, DirectoryError> =
            row.targets.iter().map(|target| address(target)).collect();
        Ok(Self { address: address(&row.name)?, targets: targets?, created_at: row.created_at })
    }
}

impl From<BudgetColumns> for Option<SendingBudget> {
    fn from(columns: BudgetColumns) -> Self {
        let limit = |column: Option<i64>| column.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        Some(SendingBudget {
            messages_per_hour: limit(columns.messages_per_hour)?,
            messages_per_day: limit(columns.messages_per_day)?,
            recipients_per_hour: limit(columns.recipients_per_hour)?,
            recipients_per_day: limit(columns.recipients_per_day)?,
        })
    }
}

pub(crate) fn address(text: &str) -> Result<Address, DirectoryError> {
    text.parse().map_err(|_| corrupt("address", text))
}

fn domain(text: &str) -> Result<DomainName, DirectoryError> {
    text.parse().map_err(|_| corrupt("domain", text))
}

pub(crate) fn state(code: i16) -> Result<AccountState, DirectoryError> {
    match code {
        1 => Ok(AccountState::Active),
        2 => Ok(AccountState::Disabled),
        3 => Ok(AccountState::Deleting),
        _ => Err(corrupt("account state", code)),
    }
}

pub(crate) fn state_code(state: AccountState) -> i16 {
    match state {
        AccountState::Active => 1,
        AccountState::Disabled => 2,
        AccountState::Deleting => 3,
    }
}

pub(crate) fn quota(bytes: i64, messages: i64) -> Quota {
    Quota { bytes: bytes.unsigned_abs(), messages: messages.unsigned_abs() }
}

/// A quota as its two columns.
pub(crate) fn quota_columns(quota: Quota) -> Result<(i64, i64), DirectoryError> {
    let column = |limit: u64| {
        i64::try_from(limit)
            .map_err(|_| DirectoryError::Invalid { message: "the quota is too large".to_owned() })
    };
    Ok((column(quota.bytes)?, column(quota.messages)?))
}
