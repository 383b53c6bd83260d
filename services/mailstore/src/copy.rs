//! COPY and MOVE: one transaction; bodies are shared.

use sqlx::PgConnection;
use staffetta_directory_api::{AccountId, Quota};
use staffetta_mailstore_api::{
    Access, Copied, CopyRequest, MailboxId, MailboxName, MailstoreError, ModSeq, UidSet, UidValidity,
};

use crate::config::Limits;
use crate::error::{cannot, database, limit};
use crate::expunge::{self, Doomed};
use crate::hints::Hint;
use crate::outcome::{Outcome, WriteKey, reused, runs, uid_set};
use crate::ranges::{quota, small, uid};
use crate::store::{PostgresMailstore, modseq_from, selected};

/// Runs of UIDs that one transaction takes: it is atomic, so it is one statement.
const MOST_RUNS: usize = 100_000;

/// Which messages go where within an account.
#[derive(Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) account: AccountId,
    pub(crate) from: MailboxId,
    pub(crate) to: MailboxId,
    pub(crate) uids: &'a UidSet,
}

/// What went where.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    source: UidSet,
    target: UidSet,
    /// MODSEQ of the copies; nothing if there were none.
    copied_at: Option<ModSeq>,
    /// MODSEQ of the removal.
    removed_at: Option<ModSeq>,
}

impl Moved {
    pub(crate) fn hints(&self, account: AccountId, from: MailboxId, to: MailboxId) -> Vec<Hint> {
        let copied = self.copied_at.map(|modseq| Hint::mailbox(account, to, modseq));
        let removed = self.removed_at.map(|modseq| Hint::mailbox(account, from, modseq));
        copied.into_iter().chain(removed).collect()
    }
}

impl PostgresMailstore {
    pub(crate) async fn copy_messages(
        &self,
        access: &Access,
        request: &CopyRequest,
        removing: bool,
    ) -> Result<Copied, MailstoreError> {
        let account = access.account;
        let key = WriteKey::new(account, request.key);
        let mut transaction = self.lock(access).await?;
        match key.find(&mut transaction).await? {
            Some(Outcome::Copy { uid_validity, source, target, source_modseq }) => {
                return Ok(Copied {
                    uid_validity: UidValidity(uid_validity),
                    source: uid_set(&source),
                    target: uid_set(&target),
                    source_modseq: ModSeq(source_modseq),
                });
            }
            Some(_) => return Err(reused()),
            None => {}
        }
        selected(&mut transaction, account, request.mailbox).await?;
        let (to, uid_validity) = target(&mut transaction, account, &request.target).await?;
        let messages = Move { account, from: request.mailbox, to, uids: &request.uids };
        let moved = match removing {
            true => relocate(&mut transaction, messages, self.limits()).await?,
            false => copy(&mut transaction, messages, access.quota).await?,
        };
        let source_modseq = selected(&mut transaction, account, request.mailbox).await?;
        let outcome = Outcome::Copy {
            uid_validity: uid_validity.0,
            source: runs(&moved.source),
            target: runs(&moved.target),
            source_modseq: source_modseq.0,
        };
        key.insert(&mut transaction, &outcome).await?;
        let hints = moved.hints(account, request.mailbox, to);
        self.commit(transaction, &hints).await?;
        Ok(Copied { uid_validity, source: moved.source, target: moved.target, source_modseq })
    }
}

async fn target(
    connection: &mut PgConnection,
    account: AccountId,
    name: &MailboxName,
) -> Result<(MailboxId, UidValidity), MailstoreError> {
    let found: Option<(i64, bool, i64)> = sqlx::query_as(include_str!("sql/mailbox/by_name.sql"))
        .bind(account.0)
        .bind(name.as_str())
        .fetch_optional(connection)
        .await
        .map_err(|error| database(&error))?;
    match found {
        Some((id, true, uid_validity)) => Ok((MailboxId(id), UidValidity(small(uid_validity)))),
        Some(_) => Err(cannot("mailbox cannot be selected")),
        None => Err(MailstoreError::MailboxNotFound),
    }
}

/// Copies what exists of the messages, or nothing if the quota does not allow all. Under the account's lock.
async fn copy(
    connection: &mut PgConnection,
    messages: Move<'_>,
    limits: Quota,
) -> Result<Moved, MailstoreError> {
    if messages.uids.runs().len() > MOST_RUNS {
        return Err(limit(format!("at most {MOST_RUNS} runs of messages at once")));
    }
    let (first, last): (Vec<i64>, Vec<i64>) =
        messages.uids.runs().map(|run| (i64::from(run.start().get()), i64::from(run.end().get()))).unzip();
    let rows: Vec<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(include_str!("sql/message/copy.sql"))
        .bind(messages.account.0)
        .bind(messages.from.0)
        .bind(first)
        .bind(last)
        .bind(messages.to.0)
        .bind(quota(limits.bytes))
        .bind(quota(limits.messages))
        .fetch_all(connection)
        .await
        .map_err(|error| database(&error))?;
    let mut moved = Moved::default();
    for (source, target, modseq) in rows {
        let target = target.ok_or(MailstoreError::OverQuota)?;
        moved.source.insert(uid(source)?);
        moved.target.insert(uid(target)?);
        moved.copied_at = modseq.map(modseq_from);
    }
    Ok(moved)
}

/// Copies and removes, in the caller's transaction and under the account's lock. Takes no quota: nothing is added.
pub(crate) async fn relocate(
    connection: &mut PgConnection,
    messages: Move<'_>,
    limits: &Limits,
) -> Result<Moved, MailstoreError> {
    let mut moved = copy(connection, messages, Quota::UNLIMITED).await?;
    let (account, mailbox) = (messages.account, messages.from);
    let doomed = Doomed { account, mailbox, uids: &moved.source, flags: 0, undelete: false };
    moved.removed_at = expunge::all(connection, doomed, limits).await?;
    Ok(moved)
}
