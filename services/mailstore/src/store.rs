//! The PostgreSQL implementation of every mailstore port: what its parts share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use staffetta_chassis::clock::Clock;
use staffetta_directory_api::{AccountId, ShardEpoch};
use staffetta_mailstore_api::{Access, Flags, Keyword, MailboxId, MailstoreError, ModSeq};
use staffetta_packs::{PackReader, PackWriter};

use crate::config::Limits;
use crate::delivery::DeliveryCommit;
use crate::error::{database, limit};
use crate::hints::{Hint, Hints};
use crate::watch::Watchers;

/// An account whose existence and epoch are known is asked for again after this.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// Accounts remembered.
const KNOWN: u64 = 200_000;

/// mailstore on PostgreSQL and an object store. Clones share everything.
#[derive(Clone)]
pub struct PostgresMailstore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) writer: PackWriter<DeliveryCommit>,
    pub(crate) reader: PackReader,
    pub(crate) hints: Arc<dyn Hints>,
    pub(crate) watchers: Watchers,
    known: Cache<AccountId, ShardEpoch>,
}

/// The parts a [`PostgresMailstore`] is made of.
pub(crate) struct Parts {
    /// The database, migrated.
    pub(crate) pool: PgPool,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Bounds of accounts and messages.
    pub(crate) limits: Limits,
    /// Group commit of new messages.
    pub(crate) writer: PackWriter<DeliveryCommit>,
    /// Reads of bodies.
    pub(crate) reader: PackReader,
    /// Wake-ups.
    pub(crate) hints: Arc<dyn Hints>,
    /// Who watches.
    pub(crate) watchers: Watchers,
}

/// A locked account.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Locked {
    epoch: i32,
    purged: bool,
}

impl PostgresMailstore {
    /// Puts the parts together.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { pool, clock, limits, writer, reader, hints, watchers } = parts;
        let known = Cache::builder().max_capacity(KNOWN).time_to_live(KNOWN_FOR).build();
        Self { inner: Arc::new(Inner { pool, clock, limits, writer, reader, hints, watchers, known }) }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn unix(&self) -> i64 {
        i64::try_from(self.inner.clock.unix_seconds()).unwrap_or(i64::MAX)
    }

    /// Before a read: makes the account on first use and refuses a stale epoch, exactly.
    pub(crate) async fn enter(&self, account: AccountId, epoch: ShardEpoch) -> Result<(), MailstoreError> {
        let mut connection = self.pool().acquire().await.map_err(|error| database(&error))?;
        let mut found = find(&mut connection, account).await?;
        if found.is_none() {
            sqlx::query(include_str!("sql/account/create.sql"))
                .bind(account.0)
                .bind(epoch.0)
                .bind(self.unix())
                .execute(&mut *connection)
                .await
                .map_err(|error| database(&error))?;
            found = find(&mut connection, account).await?;
        }
        if let Some((stored, false)) = found
            && stored < epoch.0
        {
            sqlx::query(include_str!("sql/account/raise_epoch.sql"))
                .bind(account.0)
                .bind(epoch.0)
                .execute(&mut *connection)
                .await
                .map_err(|error| database(&error))?;
            found = find(&mut connection, account).await?;
        }
        match found {
            Some((stored, false)) if stored == epoch.0 => {
                self.inner.known.insert(account, epoch).await;
                Ok(())
            }
            _ => {
                self.forget(account).await;
                Err(MailstoreError::StaleEpoch)
            }
        }
    }

    /// Before a mutation, which checks the epoch under its lock: as [`Self::enter`], but costs nothing for an account
    /// seen lately.
    pub(crate) async fn ensure(&self, account: AccountId, epoch: ShardEpoch) -> Result<(), MailstoreError> {
        if self.inner.known.get(&account).await == Some(epoch) {
            return Ok(());
        }
        self.enter(account, epoch).await
    }

    /// The account is asked for again at its next use.
    pub(crate) async fn forget(&self, account: AccountId) {
        self.inner.known.invalidate(&account).await;
    }

    /// Begins a mutation: a transaction that holds the account's lock.
    pub(crate) async fn lock(
        &self,
        access: &Access,
    ) -> Result<Transaction<'static, Postgres>, MailstoreError> {
        self.ensure(access.account, access.epoch).await?;
        let mut transaction = self.pool().begin().await.map_err(|error| database(&error))?;
        let locked: Option<Locked> = sqlx::query_as(include_str!("sql/account/lock.sql"))
            .bind(access.account.0)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|error| database(&error))?;
        match locked {
            Some(locked) if !locked.purged && locked.epoch <= access.epoch.0 => Ok(transaction),
            _ => {
                self.forget(access.account).await;
                Err(MailstoreError::StaleEpoch)
            }
        }
    }

    /// Ends a mutation, then wakes who watches.
    pub(crate) async fn commit(
        &self,
        transaction: Transaction<'static, Postgres>,
        hints: &[Hint],
    ) -> Result<(), MailstoreError> {
        transaction.commit().await.map_err(|error| database(&error))?;
        self.inner.hints.publish(hints);
        Ok(())
    }

    /// The flags with each keyword as this account wrote it first; new ones are remembered. Under the account's lock.
    pub(crate) async fn settle_keywords(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        flags: &Flags,
    ) -> Result<Flags, MailstoreError> {
        if flags.keywords().is_empty() {
            return Ok(flags.clone());
        }
        let written: Vec<String> = sqlx::query_scalar(include_str!("sql/account/keywords.sql"))
            .bind(account.0)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| database(&error))?;
        let (mut settled, mut new) = (Vec::new(), Vec::new());
        for keyword in flags.keywords() {
            match written.iter().find(|written| written.eq_ignore_ascii_case(keyword.as_str())) {
                Some(first) => settled.extend(Keyword::try_from(first.clone())),
                None => {
                    settled.push(keyword.clone());
                    new.push(keyword.as_str());
                }
            }
        }
        if !new.is_empty() {
            let most = self.limits().keywords;
            if written.len() + new.len() > most {
                return Err(limit(format!("at most {most} keywords")));
            }
            sqlx::query(include_str!("sql/account/add_keywords.sql"))
                .bind(account.0)
                .bind(&new)
                .execute(connection)
                .await
                .map_err(|error| database(&error))?;
        }
        Ok(Flags::from_parts(flags.bits(), settled))
    }
}

impl fmt::Debug for PostgresMailstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresMailstore").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

/// Epoch, and whether the account is purged.
async fn find(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<(i32, bool)>, MailstoreError> {
    sqlx::query_as(include_str!("sql/account/find.sql"))
        .bind(account.0)
        .fetch_optional(connection)
        .await
        .map_err(|error| database(&error))
}

/// Takes the account's next MODSEQ, under its lock.
pub(crate) async fn next_modseq(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<ModSeq, MailstoreError> {
    let modseq: i64 = sqlx::query_scalar(include_str!("sql/account/next_modseq.sql"))
        .bind(account.0)
        .fetch_one(connection)
        .await
        .map_err(|error| database(&error))?;
    Ok(modseq_from(modseq))
}

pub(crate) fn modseq_from(column: i64) -> ModSeq {
    ModSeq(u64::try_from(column).unwrap_or(0))
}

/// Flags as rows keep them.
pub(crate) fn flags_from(bits: i16, keywords: Option<Vec<String>>) -> Flags {
    let keywords =
        keywords.unwrap_or_default().into_iter().filter_map(|keyword| Keyword::try_from(keyword).ok());
    Flags::from_parts(u8::try_from(bits).unwrap_or(0), keywords.collect())
}

/// Keywords as rows keep them: sorted, NULL for none.
pub(crate) fn keyword_column(flags: &Flags) -> Option<Vec<&str>> {
    let keywords: Vec<_> = flags.keywords().iter().map(Keyword::as_str).collect();
    (!keywords.is_empty()).then_some(keywords)
}

/// The highest MODSEQ of a selectable mailbox.
pub(crate) async fn selected(
    connection: &mut PgConnection,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<ModSeq, MailstoreError> {
    let found: Option<i64> = sqlx::query_scalar(include_str!("sql/mailbox/by_id.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .fetch_optional(connection)
        .await
        .map_err(|error| database(&error))?;
    found.map(modseq_from).ok_or(MailstoreError::MailboxNotFound)
}
