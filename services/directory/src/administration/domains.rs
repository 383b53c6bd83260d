use chrono::{DateTime, Utc};
use staffetta_chassis::postgres::Tx;
use staffetta_directory_api::{DirectoryError, Domain, DomainSpec, Page};
use staffetta_message::address::{Address, Domain as DomainName};

use super::{Administrator, account_at, lock_domain};
use crate::error::{self, Failure, database, refuse};
use crate::resolution::catch_all;
use crate::rows::{CATCH_ALL, DomainRow};

impl Administrator {
    pub(crate) async fn list_domains(&self, page: &Page) -> Result<Vec<Domain>, DirectoryError> {
        let rows: Vec<DomainRow> = sqlx::query_as(include_str!("../sql/domain/list.sql"))
            .bind(page.after.as_deref().unwrap_or_default())
            .bind(page.capped() as i64)
            .fetch_all(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        rows.into_iter().map(Domain::try_from).collect()
    }

    pub(crate) async fn domain(&self, name: &DomainName) -> Result<Domain, DirectoryError> {
        self.pool.transaction("domain", |tx| Box::pin(domain(tx, name))).await.map_err(error::transaction)
    }

    pub(crate) async fn create_domain(&self, spec: &DomainSpec) -> Result<Domain, DirectoryError> {
        let now = self.now();
        self.pool
            .transaction("create_domain", |tx| Box::pin(create(tx, &spec.name, now)))
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn set_catch_all(
        &self,
        name: &DomainName,
        target: Option<&Address>,
    ) -> Result<Domain, DirectoryError> {
        let now = self.now();
        self.pool
            .transaction("set_catch_all", |tx| Box::pin(set_catch_all(tx, name, target, now)))
            .await
            .map_err(error::transaction)
    }

    pub(crate) async fn delete_domain(&self, name: &DomainName) -> Result<(), DirectoryError> {
        self.pool
            .transaction("delete_domain", |tx| Box::pin(delete(tx, name)))
            .await
            .map_err(error::transaction)
    }
}

async fn domain(tx: &mut Tx<'_>, name: &DomainName) -> Result<Domain, Failure> {
    let row: Option<DomainRow> = sqlx::query_as(include_str!("../sql/domain/by_name.sql"))
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    match row.map(Domain::try_from) {
        Some(Ok(domain)) => Ok(domain),
        Some(Err(corrupt)) => refuse(corrupt),
        None => refuse(DirectoryError::NotFound { what: format!("domain {name}") }),
    }
}

async fn create(tx: &mut Tx<'_>, name: &DomainName, now: DateTime<Utc>) -> Result<Domain, Failure> {
    let inserted = sqlx::query(include_str!("../sql/domain/insert.sql"))
        .bind(name.as_str())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    if inserted.rows_affected() == 0 {
        return refuse(DirectoryError::AlreadyExists { what: format!("domain {name}") });
    }
    domain(tx, name).await
}

async fn set_catch_all(
    tx: &mut Tx<'_>,
    name: &DomainName,
    target: Option<&Address>,
    now: DateTime<Utc>,
) -> Result<Domain, Failure> {
    lock_domain(tx, name).await?;
    remove_catch_all(tx, name).await?;
    if let Some(target) = target {
        let account = account_at(tx, target).await?;
        sqlx::query(include_str!("../sql/address/insert.sql"))
            .bind(catch_all(name))
            .bind(name.as_str())
            .bind(CATCH_ALL)
            .bind(vec![account.0])
            .bind(now)
            .execute(&mut **tx)
            .await?;
    }
    domain(tx, name).await
}

async fn delete(tx: &mut Tx<'_>, name: &DomainName) -> Result<(), Failure> {
    lock_domain(tx, name).await?;
    let in_use: bool = sqlx::query_scalar(include_str!("../sql/domain/in_use.sql"))
        .bind(name.as_str())
        .fetch_one(&mut **tx)
        .await?;
    if in_use {
        return refuse(DirectoryError::Conflict { message: format!("{name} still has accounts or aliases") });
    }
    remove_catch_all(tx, name).await?;
    sqlx::query(include_str!("../sql/domain/delete.sql")).bind(name.as_str()).execute(&mut **tx).await?;
    Ok(())
}

async fn remove_catch_all(tx: &mut Tx<'_>, name: &DomainName) -> Result<(), Failure> {
    sqlx::query(include_str!("../sql/address/delete.sql"))
        .bind(catch_all(name))
        .bind(CATCH_ALL)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
