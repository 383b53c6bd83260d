//! Removing messages: rows go to `deleted_message`, UIDs to the journal.

use sqlx::PgConnection;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Access, ExpungeRequest, Expunged, MailboxId, MailstoreError, ModSeq, SystemFlag, UidSet,
};

use crate::config::Limits;
use crate::error::database;
use crate::hints::Hint;
use crate::outcome::{Outcome, WriteKey, reused, runs, uid_set};
use crate::ranges::{Ranges, uid};
use crate::store::{PostgresMailstore, modseq_from, selected};

/// Messages of one statement, and of one transaction of a long EXPUNGE.
const CHUNK: usize = 2_000;

/// What is to be removed.
#[derive(Clone, Copy)]
pub(crate) struct Doomed<'a> {
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: &'a UidSet,
    /// Flags a message must have.
    pub(crate) flags: i16,
    /// Kept for undelete.
    pub(crate) undelete: bool,
}

/// What one chunk removed.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) uids: UidSet,
    /// MODSEQ of the removal; nothing if nothing was there.
    pub(crate) modseq: Option<ModSeq>,
    /// Nothing is left.
    pub(crate) last: bool,
}

impl PostgresMailstore {
    pub(crate) async fn expunge_messages(
        &self,
        access: &Access,
        request: &ExpungeRequest,
    ) -> Result<Expunged, MailstoreError> {
        let account = access.account;
        let mut key = WriteKey::new(account, request.key);
        let asked = request.uids.clone().unwrap_or_else(UidSet::all);
        let (mut uids, mut highest) = (UidSet::new(), ModSeq(0));
        loop {
            let mut transaction = self.lock(access).await?;
            let (gone, modseq, last) = match key.find(&mut transaction).await? {
                Some(Outcome::Expunge { uids, highest_modseq, last }) => {
                    (uid_set(&uids), highest_modseq, last)
                }
                Some(_) => return Err(reused()),
                None => {
                    let mailbox_modseq = selected(&mut transaction, account, request.mailbox).await?;
                    let rest = asked.difference(&uids);
                    let flags = i16::from(SystemFlag::Deleted as u8);
                    let doomed =
                        Doomed { account, mailbox: request.mailbox, uids: &rest, flags, undelete: true };
                    let removed = chunk(&mut transaction, doomed, self.limits()).await?;
                    let modseq = removed.modseq.unwrap_or(mailbox_modseq).0;
                    let uids = runs(&removed.uids);
                    let outcome = Outcome::Expunge { uids, highest_modseq: modseq, last: removed.last };
                    key.insert(&mut transaction, &outcome).await?;
                    let hints = removed.modseq.map(|modseq| Hint::mailbox(account, request.mailbox, modseq));
                    self.commit(transaction, hints.as_slice()).await?;
                    (removed.uids, modseq, removed.last)
                }
            };
            uids = uids.union(&gone);
            highest = highest.max(ModSeq(modseq));
            if last {
                return Ok(Expunged { uids, highest_modseq: highest });
            }
            key.chunk += 1;
        }
    }
}

/// Removes up to [`CHUNK`] messages, in the caller's transaction and under the account's lock.
pub(crate) async fn chunk(
    connection: &mut PgConnection,
    doomed: Doomed<'_>,
    limits: &Limits,
) -> Result<Chunk, MailstoreError> {
    let mut ranges = Ranges::new(doomed.uids);
    let mut removed = Chunk::default();
    while removed.uids.is_empty() {
        let Some((first, last)) = ranges.next() else {
            removed.last = true;
            return Ok(removed);
        };
        let rows: Vec<(i64, i64, i32)> = sqlx::query_as(include_str!("sql/message/expunge.sql"))
            .bind(doomed.account.0)
            .bind(doomed.mailbox.0)
            .bind(first)
            .bind(last)
            .bind(doomed.flags)
            .bind(i64::try_from(CHUNK).unwrap_or(i64::MAX))
            .bind(doomed.undelete)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| database(&error))?;
        ranges.advance(rows.len(), CHUNK, rows.last().map(|row| row.0));
        let journal = rows.last().map_or(0, |row| row.2);
        removed.modseq = rows.last().map(|row| modseq_from(row.1));
        for (column, _, _) in rows {
            removed.uids.insert(uid(column)?);
        }
        if usize::try_from(journal).is_ok_and(|runs| runs > limits.journal) {
            trim_journal(connection, doomed.account, doomed.mailbox, limits.journal / 2).await?;
        }
    }
    removed.last = ranges.next().is_none();
    Ok(removed)
}

/// Removes all of them in the caller's transaction. Answers the last MODSEQ taken.
pub(crate) async fn all(
    connection: &mut PgConnection,
    doomed: Doomed<'_>,
    limits: &Limits,
) -> Result<Option<ModSeq>, MailstoreError> {
    let (mut rest, mut modseq) = (doomed.uids.clone(), None);
    loop {
        let removed = chunk(connection, Doomed { uids: &rest, ..doomed }, limits).await?;
        modseq = removed.modseq.or(modseq);
        if removed.last {
            return Ok(modseq);
        }
        rest = rest.difference(&removed.uids);
    }
}

async fn trim_journal(
    connection: &mut PgConnection,
    account: AccountId,
    mailbox: MailboxId,
    keep: usize,
) -> Result<(), MailstoreError> {
    sqlx::query(include_str!("sql/mailbox/trim_journal.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .bind(i64::try_from(keep).unwrap_or(i64::MAX))
        .execute(connection)
        .await
        .map_err(|error| database(&error))?;
    Ok(())
}
