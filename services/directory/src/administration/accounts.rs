use chrono::{DateTime, Utc};
use secrecy::SecretString;
use staffetta_chassis::postgres::Tx;
use staffetta_directory_api::administration::{check_password, check_update};
use staffetta_directory_api::lookup::fold;
use staffetta_directory_api::{
    Account, AccountId, AccountSpec, AccountState, AccountUpdate, DirectoryError, Page, SendingBudget,
};
use staffetta_message::address::{Address, Domain as DomainName};

use super::{Administrator, account, account_at, living_account_at, lock_domain};
use crate::error::{self, Failure, database, refuse};
use crate::rows::{self, AccountRow};

/// Longest name of a shard.
const MAX_SHARD_NAME: usize = 63;

impl Administrator {
    pub(crate) async fn list_accounts(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Account>, DirectoryError> {
        let rows: Vec<AccountRow> = sqlx::query_as(include_str!("../sql/account/list.sql"))
            .bind(domain.map(DomainName::as_str))
            .bind(page.after.as_deref().unwrap_or_default())
            .bind(page.capped() as i64)
            .fetch_all(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        rows.into_iter().map(Account::try_from).collect()
    }

    pub(crate) async fn account(&self, address: &Address) -> Result<Account, DirectoryError> {
        self.pool
            .transaction("account", |tx| {
                Box::pin(async move {
                    let id = account_at(tx, address).await?;
                    account(tx, id).await
                })
            })
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn create_account(&self, spec: AccountSpec) -> Result<Account, DirectoryError> {
        check_password(&spec.password)?;
        let shard = spec.shard.as_ref().unwrap_or(&self.defaults.shard);
        if shard.0.is_empty() || shard.0.len() > MAX_SHARD_NAME {
            let message = format!("a shard's name has 1 to {MAX_SHARD_NAME} octets");
            return Err(DirectoryError::Invalid { message });
        }
        let new = NewAccount {
            address: fold(&spec.address),
            secret: self.hasher.hash(&spec.password).await?,
            quota: rows::quota_columns(spec.quota.unwrap_or_else(|| self.defaults.quota()))?,
            budget: spec.budget,
            shard: shard.0.clone(),
            now: self.now(),
        };
        self.pool
            .transaction("create_account", |tx| Box::pin(create(tx, &new)))
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn update_account(
        &self,
        address: &Address,
        update: AccountUpdate,
    ) -> Result<Account, DirectoryError> {
        check_update(&update)?;
        update.quota.map(rows::quota_columns).transpose()?;
        self.pool
            .transaction("update_account", |tx| Box::pin(change(tx, address, &update)))
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn set_password(
        &self,
        address: &Address,
        password: SecretString,
    ) -> Result<(), DirectoryError> {
        check_password(&password)?;
        let (secret, now) = (self.hasher.hash(&password).await?, self.now());
        self.pool
            .transaction("set_password", |tx| Box::pin(set_password(tx, address, &secret, now)))
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn begin_delete_account(&self, address: &Address) -> Result<Account, DirectoryError> {
        self.pool
            .transaction("begin_delete_account", |tx| {
                Box::pin(async move {
                    let id = account_at(tx, address).await?;
                    sqlx::query(include_str!("../sql/account/begin_delete.sql"))
                        .bind(id.0)
                        .execute(&mut **tx)
                        .await?;
                    account(tx, id).await
                })
            })
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn finish_delete_account(&self, id: AccountId) -> Result<(), DirectoryError> {
        self.pool
            .transaction("finish_delete_account", |tx| Box::pin(finish_delete(tx, id)))
            .await
            .map_err(error::transaction)
    }
}

struct NewAccount {
    address: Address,
    secret: String,
    quota: (i64, i64),
    budget: Option<SendingBudget>,
    shard: String,
    now: DateTime<Utc>,
}

async fn create(tx: &mut Tx<'_>, new: &NewAccount) -> Result<Account, Failure> {
    let (address, domain) = (new.address.to_string(), new.address.domain());
    lock_domain(tx, domain).await?;
    let taken: bool = sqlx::query_scalar(include_str!("../sql/address/taken.sql"))
        .bind(&address)
        .fetch_one(&mut **tx)
        .await?;
    if taken {
        return refuse(DirectoryError::AlreadyExists { what: format!("address {address}") });
    }
    let id: i64 = sqlx::query_scalar(include_str!("../sql/account/insert.sql"))
        .bind(&new.shard)
        .bind(new.quota.0)
        .bind(new.quota.1)
        .bind(new.now)
        .bind(&address)
        .bind(domain.as_str())
        .bind(&new.secret)
        .fetch_one(&mut **tx)
        .await?;
    if let Some(budget) = new.budget {
        set_budget(tx, AccountId(id), budget).await?;
    }
    account(tx, AccountId(id)).await
}

async fn change(tx: &mut Tx<'_>, address: &Address, update: &AccountUpdate) -> Result<Account, Failure> {
    let id = living_account_at(tx, address).await?;
    let quota = update.quota.map(rows::quota_columns).transpose().or_else(refuse)?;
    sqlx::query(include_str!("../sql/account/update.sql"))
        .bind(id.0)
        .bind(update.state.map(rows::state_code))
        .bind(quota.map(|columns| columns.0))
        .bind(quota.map(|columns| columns.1))
        .execute(&mut **tx)
        .await?;
    match update.budget {
        None => {}
        Some(Some(budget)) => set_budget(tx, id, budget).await?,
        Some(None) => {
            sqlx::query(include_str!("../sql/budget/disown.sql")).bind(id.0).execute(&mut **tx).await?;
        }
    }
    account(tx, id).await
}

async fn set_budget(tx: &mut Tx<'_>, id: AccountId, budget: SendingBudget) -> Result<(), Failure> {
    sqlx::query(include_str!("../sql/budget/own.sql"))
        .bind(id.0)
        .bind(i64::from(budget.messages_per_hour))
        .bind(i64::from(budget.messages_per_day))
        .bind(i64::from(budget.recipients_per_hour))
        .bind(i64::from(budget.recipients_per_day))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn set_password(
    tx: &mut Tx<'_>,
    address: &Address,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let id = living_account_at(tx, address).await?;
    sqlx::query(include_str!("../sql/credential/set_password.sql"))
        .bind(id.0)
        .bind(secret)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    sqlx::query(include_str!("../sql/account/end_sessions.sql")).bind(id.0).execute(&mut **tx).await?;
    Ok(())
}

async fn finish_delete(tx: &mut Tx<'_>, id: AccountId) -> Result<(), Failure> {
    let state: Option<i16> = sqlx::query_scalar(include_str!("../sql/account/lock.sql"))
        .bind(id.0)
        .fetch_optional(&mut **tx)
        .await?;
    match state {
        None => Ok(()),
        Some(state) if state == rows::state_code(AccountState::Deleting) => {
            sqlx::query(include_str!("../sql/account/delete.sql")).bind(id.0).execute(&mut **tx).await?;
            Ok(())
        }
        Some(_) => refuse(DirectoryError::Conflict { message: format!("account {id} is not being deleted") }),
    }
}
