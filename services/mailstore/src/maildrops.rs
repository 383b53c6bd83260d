//! The POP3 maildrop: a lease row whose token is the fence, and INBOX as a snapshot.

use std::time::Duration;

use async_trait::async_trait;
use staffetta_mailstore_api::{
    Access, IdempotencyKey, MailboxId, Maildrop, MaildropLease, MaildropMessage, Maildrops, MailstoreError,
    UidSet, UidValidity,
};
use uuid::Uuid;

use crate::error::database;
use crate::expunge::{self, Doomed};
use crate::hints::Hint;
use crate::outcome::{Outcome, WriteKey, reused};
use crate::ranges::{count, small, uid};
use crate::store::PostgresMailstore;

/// How long a lease lives without renewal.
const LEASE: Duration = Duration::from_secs(60);

#[async_trait]
impl Maildrops for PostgresMailstore {
    async fn open_maildrop(&self, access: &Access) -> Result<Maildrop, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let (now, lease) = (self.now(), MaildropLease(Uuid::new_v4()));
        let taken = sqlx::query(include_str!("sql/maildrop/take.sql"))
            .bind(access.account.0)
            .bind(lease.0)
            .bind(now)
            .bind(now + LEASE)
            .execute(self.pool())
            .await
            .map_err(|error| database(&error))?;
        if taken.rows_affected() == 0 {
            return Err(MailstoreError::MaildropInUse);
        }
        let rows: Vec<(i64, i64, Option<i64>, Option<i64>)> =
            sqlx::query_as(include_str!("sql/maildrop/snapshot.sql"))
                .bind(access.account.0)
                .fetch_all(self.pool())
                .await
                .map_err(|error| database(&error))?;
        let &(mailbox, uid_validity, _, _) = rows.first().ok_or(MailstoreError::MailboxNotFound)?;
        let messages = rows.iter().filter_map(|row| Some((row.2?, row.3?)));
        let messages =
            messages.map(|(number, size)| Ok(MaildropMessage { uid: uid(number)?, size: count(size) }));
        Ok(Maildrop {
            lease,
            mailbox: MailboxId(mailbox),
            uid_validity: UidValidity(small(uid_validity)),
            messages: messages.collect::<Result<_, MailstoreError>>()?,
        })
    }

    async fn renew_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let now = self.now();
        let renewed = sqlx::query(include_str!("sql/maildrop/renew.sql"))
            .bind(access.account.0)
            .bind(lease.0)
            .bind(now)
            .bind(now + LEASE)
            .execute(self.pool())
            .await
            .map_err(|error| database(&error))?;
        if renewed.rows_affected() == 0 { Err(MailstoreError::LeaseLost) } else { Ok(()) }
    }

    async fn commit_maildrop(
        &self,
        access: &Access,
        lease: &MaildropLease,
        key: IdempotencyKey,
        deleted: &UidSet,
    ) -> Result<(), MailstoreError> {
        let account = access.account;
        let key = WriteKey::new(account, key);
        let mut transaction = self.lock(access).await?;
        match key.find(&mut transaction).await? {
            Some(Outcome::Maildrop) => return Ok(()),
            Some(_) => return Err(reused()),
            None => {}
        }
        let held = sqlx::query(include_str!("sql/maildrop/finish.sql"))
            .bind(account.0)
            .bind(lease.0)
            .bind(self.now())
            .execute(&mut *transaction)
            .await
            .map_err(|error| database(&error))?;
        if held.rows_affected() == 0 {
            return Err(MailstoreError::LeaseLost);
        }
        let inbox: i64 = sqlx::query_scalar(include_str!("sql/maildrop/inbox.sql"))
            .bind(account.0)
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| database(&error))?;
        let mailbox = MailboxId(inbox);
        let doomed = Doomed { account, mailbox, uids: deleted, flags: 0, undelete: true };
        let modseq = expunge::all(&mut transaction, doomed, self.limits()).await?;
        key.insert(&mut transaction, &Outcome::Maildrop).await?;
        let hint = modseq.map(|modseq| Hint::mailbox(account, mailbox, modseq));
        self.commit(transaction, hint.as_slice()).await
    }

    async fn release_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        sqlx::query(include_str!("sql/maildrop/release.sql"))
            .bind(access.account.0)
            .bind(lease.0)
            .execute(self.pool())
            .await
            .map_err(|error| database(&error))?;
        Ok(())
    }
}
