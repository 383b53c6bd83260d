use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use staffetta_chassis::postgres::Tx;
use staffetta_directory_api::administration::check_targets;
use staffetta_directory_api::lookup::fold;
use staffetta_directory_api::{Alias, AliasTarget, DirectoryError, Page};
use staffetta_message::address::{Address, Domain as DomainName};

use super::{Administrator, living_account_at, lock_domain};
use crate::error::{self, Failure, database, refuse};
use crate::rows::{ALIAS, AliasRow};

impl Administrator {
    pub(crate) async fn list_aliases(
        &self,
        domain: Option<&DomainName>,
        page: &Page,
    ) -> Result<Vec<Alias>, DirectoryError> {
        let rows: Vec<AliasRow> = sqlx::query_as(include_str!("../sql/address/list_aliases.sql"))
            .bind(domain.map(DomainName::as_str))
            .bind(page.after.as_deref().unwrap_or_default())
            .bind(page.capped() as i64)
            .fetch_all(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        rows.into_iter().map(Alias::try_from).collect()
    }

    pub(crate) async fn put_alias(&self, alias: &AliasTarget) -> Result<Alias, DirectoryError> {
        check_targets(&alias.targets)?;
        let (address, now) = (fold(&alias.address), self.now());
        let row: AliasRow = self
            .pool
            .transaction("put_alias", |tx| Box::pin(put(tx, &address, &alias.targets, now)))
            .await
            .map_err(error::transaction)?;
        row.try_into()
    }

    pub(crate) async fn delete_alias(&self, address: &Address) -> Result<(), DirectoryError> {
        let name = fold(address).to_string();
        let deleted = sqlx::query(include_str!("../sql/address/delete.sql"))
            .bind(&name)
            .bind(ALIAS)
            .execute(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        match deleted.rows_affected() {
            0 => Err(DirectoryError::NotFound { what: format!("alias {name}") }),
            _ => Ok(()),
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    address: &Address,
    targets: &[Address],
    now: DateTime<Utc>,
) -> Result<AliasRow, Failure> {
    let name = address.to_string();
    lock_domain(tx, address.domain()).await?;
    let is_account: bool = sqlx::query_scalar(include_str!("../sql/address/is_primary.sql"))
        .bind(&name)
        .fetch_one(&mut **tx)
        .await?;
    if is_account {
        return refuse(DirectoryError::AlreadyExists { what: format!("account {name}") });
    }
    let mut accounts = BTreeSet::new();
    for target in targets {
        accounts.insert(living_account_at(tx, target).await?.0);
    }
    sqlx::query(include_str!("../sql/address/delete.sql")).bind(&name).bind(ALIAS).execute(&mut **tx).await?;
    sqlx::query(include_str!("../sql/address/insert.sql"))
        .bind(&name)
        .bind(address.domain().as_str())
        .bind(ALIAS)
        .bind(accounts.into_iter().collect::<Vec<_>>())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(sqlx::query_as(include_str!("../sql/address/alias.sql")).bind(&name).fetch_one(&mut **tx).await?)
}
