//! Accounts as a whole: quota use and purge.

use async_trait::async_trait;
use rustc_hash::FxHashMap;
use staffetta_directory_api::{AccountId, Quota};
use staffetta_mailstore_api::{Access, Accounts, MailstoreError, PurgeProgress, QuotaUsage};

use crate::error::database;
use crate::hints::Hint;
use crate::ranges::{column, count};
use crate::store::PostgresMailstore;

/// Accounts of one question.
const MOST_ACCOUNTS: usize = 10_000;

#[async_trait]
impl Accounts for PostgresMailstore {
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let usage = self.usage(&[access.account]).await?;
        Ok(QuotaUsage { limit: access.quota, ..usage.into_iter().next().unwrap_or_default() })
    }

    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError> {
        if accounts.len() > MOST_ACCOUNTS {
            return Err(MailstoreError::Invalid {
                message: format!("at most {MOST_ACCOUNTS} accounts at once"),
            });
        }
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(include_str!("sql/account/usage.sql"))
            .bind(&ids)
            .fetch_all(self.pool())
            .await
            .map_err(|error| database(&error))?;
        let used: FxHashMap<_, _> =
            rows.into_iter().map(|(id, bytes, messages)| (id, (bytes, messages))).collect();
        let usage = |id: &i64| {
            let (bytes, messages) = used.get(id).copied().unwrap_or_default();
            QuotaUsage { bytes: count(bytes), messages: count(messages), limit: Quota::UNLIMITED }
        };
        Ok(ids.iter().map(usage).collect())
    }

    async fn purge(&self, account: AccountId) -> Result<PurgeProgress, MailstoreError> {
        let failed = |error: sqlx::Error| database(&error);
        let chunk = column(self.limits().purge_chunk);
        let refuse = sqlx::query(include_str!("sql/account/refuse.sql")).bind(account.0);
        refuse.execute(self.pool()).await.map_err(failed)?;
        self.forget(account).await;
        self.inner.hints.publish(&[Hint::purged(account)]);

        let mut transaction = self.pool().begin().await.map_err(failed)?;
        let lock = sqlx::query(include_str!("sql/account/lock.sql")).bind(account.0);
        lock.execute(&mut *transaction).await.map_err(failed)?;
        let removed: i64 = sqlx::query_scalar(include_str!("sql/account/purge_messages.sql"))
            .bind(account.0)
            .bind(chunk)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        let deleted = sqlx::query(include_str!("sql/account/purge_deleted.sql"))
            .bind(account.0)
            .bind(chunk)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?
            .rows_affected();
        let done = removed < chunk && deleted < self.limits().purge_chunk;
        if done {
            let rest = sqlx::query(include_str!("sql/account/purge_rest.sql")).bind(account.0);
            rest.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(PurgeProgress { removed: count(removed), done })
    }
}
