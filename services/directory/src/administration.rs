//! Domains, accounts and aliases.
//!
//! Whoever adds or removes names of a domain locks the domain's row first, so that an address never becomes an account and
//! an alias at the same time. Answers are read in the transaction that wrote them.

mod accounts;
mod aliases;
mod domains;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::{Pool, Tx};
use staffetta_directory_api::lookup::fold;
use staffetta_directory_api::{Account, AccountId, AccountState, DirectoryError};
use staffetta_message::address::{Address, Domain as DomainName};

use crate::authentication::Hasher;
use crate::config::AccountConfig;
use crate::error::{Failure, refuse};
use crate::rows::{self, AccountRow};

/// Manages what there is.
pub(crate) struct Administrator {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) defaults: AccountConfig,
}

impl Administrator {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now().into()
    }
}

/// Locks the domain, which must exist.
async fn lock_domain(tx: &mut Tx<'_>, name: &DomainName) -> Result<(), Failure> {
    let found: Option<String> = sqlx::query_scalar(include_str!("sql/domain/lock.sql"))
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    match found {
        Some(_) => Ok(()),
        None => refuse(DirectoryError::NotFound { what: format!("domain {name}") }),
    }
}

/// The one account that has `address`, or to which it, an alias, leads.
async fn account_at(tx: &mut Tx<'_>, address: &Address) -> Result<AccountId, Failure> {
    let address = fold(address).to_string();
    let ids: Vec<i64> = sqlx::query_scalar(include_str!("sql/account/ids_at.sql"))
        .bind(&address)
        .fetch_all(&mut **tx)
        .await?;
    match ids.as_slice() {
        [id] => Ok(AccountId(*id)),
        [] => refuse(DirectoryError::NotFound { what: format!("account {address}") }),
        _ => refuse(DirectoryError::Conflict { message: format!("{address} leads to several accounts") }),
    }
}

/// As [`account_at`], locked and not being deleted.
async fn living_account_at(tx: &mut Tx<'_>, address: &Address) -> Result<AccountId, Failure> {
    let id = account_at(tx, address).await?;
    let state: Option<i16> =
        sqlx::query_scalar(include_str!("sql/account/lock.sql")).bind(id.0).fetch_optional(&mut **tx).await?;
    match state {
        None => refuse(DirectoryError::NotFound { what: format!("account {address}") }),
        Some(state) if state == rows::state_code(AccountState::Deleting) => {
            refuse(DirectoryError::Conflict { message: format!("{address} is being deleted") })
        }
        Some(_) => Ok(id),
    }
}

async fn account(tx: &mut Tx<'_>, id: AccountId) -> Result<Account, Failure> {
    let row: Option<AccountRow> =
        sqlx::query_as(include_str!("sql/account/by_id.sql")).bind(id.0).fetch_optional(&mut **tx).await?;
    match row.map(Account::try_from) {
        Some(Ok(account)) => Ok(account),
        Some(Err(corrupt)) => refuse(corrupt),
        None => refuse(DirectoryError::NotFound { what: format!("account {id}") }),
    }
}
