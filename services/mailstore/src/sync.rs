//! What changed since a cursor. The journal is `message.modseq` and `expunged.modseq`.

use rustc_hash::FxHashMap;
use sqlx::{Connection, PgConnection, PgExecutor};
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Access, FlagRun, Flags, MailboxId, MailstoreError, ModSeq, SyncDelta, SyncRequest, Uid, UidSet,
    UidValidity,
};

use crate::error::{database, internal};
use crate::ranges::{column, small, uid};
use crate::store::{PostgresMailstore, flags_from, modseq_from};

/// A row of `changes.sql`; the columns mean what its kind says.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    kind: i16,
    a: i64,
    b: i64,
    c: Option<i64>,
    flags: Option<i16>,
    keywords: Option<Vec<String>>,
    d: Option<i64>,
}

/// Everything newer than a cursor, from one snapshot.
pub(crate) struct Changes {
    uid_validity: UidValidity,
    uid_next: Uid,
    highest_modseq: ModSeq,
    /// The journal does not reach back to the cursor.
    pub(crate) full: bool,
    changed: Vec<FlagRun>,
    changed_uids: UidSet,
    vanished: UidSet,
}

impl PostgresMailstore {
    pub(crate) async fn sync_mailbox(
        &self,
        access: &Access,
        request: &SyncRequest,
    ) -> Result<SyncDelta, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let (account, mailbox) = (access.account, request.mailbox);
        let mut connection = self.pool().acquire().await.map_err(|error| database(&error))?;
        let mut found = changes(&mut connection, account, mailbox, request.since).await?;
        let mut all = UidSet::new();
        if found.full {
            // Two statements that must see the same.
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let mut transaction = connection.begin_with(begin).await.map_err(|error| database(&error))?;
            found = changes(&mut transaction, account, mailbox, request.since).await?;
            all = uids(&mut transaction, account, mailbox).await?;
            transaction.commit().await.map_err(|error| database(&error))?;
        }
        let mut delta = found.delta(&all, &below(request.uid_next));
        if request.claim_recent && !delta.appeared.is_empty() {
            let claimed = claim_recent(&mut *connection, account, mailbox, delta.uid_next).await?;
            if let Some(from) = claimed {
                let fresh: UidSet = std::iter::once(from..=Uid::MAX).collect();
                delta.recent = delta.appeared.intersection(&fresh).intersection(&below(delta.uid_next));
            }
        }
        Ok(delta)
    }
}

pub(crate) async fn changes(
    connection: &mut PgConnection,
    account: AccountId,
    mailbox: MailboxId,
    since: ModSeq,
) -> Result<Changes, MailstoreError> {
    let mut rows: Vec<Row> = sqlx::query_as(include_str!("sql/mailbox/changes.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .bind(column(since.0))
        .fetch_all(connection)
        .await
        .map_err(|error| database(&error))?;
    rows.sort_unstable_by_key(|row| (row.kind, row.a));
    let (mut head, mut changed, mut changed_uids, mut vanished) =
        (None, FlagRuns::default(), UidSet::new(), UidSet::new());
    for row in rows {
        match row.kind {
            0 => head = Some((row.a, row.b, row.c.unwrap_or(0), row.d.unwrap_or(0))),
            1 => {
                let uid = uid(row.a)?;
                changed.add(uid, modseq_from(row.b), flags_from(row.flags.unwrap_or(0), row.keywords));
                changed_uids.insert(uid);
            }
            2 => vanished.insert_range(uid(row.a)?..=uid(row.b)?),
            kind => return Err(internal(format!("change of kind {kind}"))),
        }
    }
    let (uid_validity, uid_next, highest_modseq, floor) = head.ok_or(MailstoreError::MailboxNotFound)?;
    Ok(Changes {
        uid_validity: UidValidity(small(uid_validity)),
        uid_next: uid(uid_next)?,
        highest_modseq: modseq_from(highest_modseq),
        full: since < modseq_from(floor),
        changed: changed.runs,
        changed_uids,
        vanished,
    })
}

impl Changes {
    /// For somebody who knows `known`; `all` is every UID, needed if the journal is too short or the set is known.
    pub(crate) fn delta(self, all: &UidSet, known: &UidSet) -> SyncDelta {
        let appeared = match self.full {
            true => all.clone(),
            // Whatever is new has a MODSEQ beyond the cursor; a client may also know less than the cursor says.
            false => self.changed_uids.union(all).difference(known),
        };
        let vanished = if self.full { UidSet::new() } else { self.vanished.intersection(known) };
        SyncDelta {
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            highest_modseq: self.highest_modseq,
            full: self.full,
            appeared,
            vanished,
            changed: self.changed,
            recent: UidSet::new(),
        }
    }
}

async fn uids(
    connection: &mut PgConnection,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<UidSet, MailstoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(include_str!("sql/mailbox/uids.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .fetch_all(connection)
        .await
        .map_err(|error| database(&error))?;
    uid_set(rows)
}

/// Runs of UIDs as columns.
pub(crate) fn uid_set(runs: Vec<(i64, i64)>) -> Result<UidSet, MailstoreError> {
    runs.into_iter().map(|(first, last)| Ok(uid(first)?..=uid(last)?)).collect()
}

/// Claims `\Recent` below `uid_next`. Answers where the claim begins, or nothing if there was nothing to claim.
pub(crate) async fn claim_recent<'c>(
    executor: impl PgExecutor<'c>,
    account: AccountId,
    mailbox: MailboxId,
    uid_next: Uid,
) -> Result<Option<Uid>, MailstoreError> {
    let first: Option<i64> = sqlx::query_scalar(include_str!("sql/mailbox/claim_recent.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .bind(i64::from(uid_next.get()))
        .fetch_optional(executor)
        .await
        .map_err(|error| database(&error))?;
    first.map(uid).transpose()
}

/// All UIDs below `next`.
pub(crate) fn below(next: Uid) -> UidSet {
    Uid::new(next.get() - 1).map(|last| Uid::MIN..=last).into_iter().collect()
}

/// Groups messages by MODSEQ and flags, in order of first appearance.
#[derive(Default)]
pub(crate) struct FlagRuns {
    pub(crate) runs: Vec<FlagRun>,
    by_flags: FxHashMap<(ModSeq, Flags), usize>,
    last: Option<usize>,
}

impl FlagRuns {
    pub(crate) fn add(&mut self, uid: Uid, modseq: ModSeq, flags: Flags) {
        // Neighbours mostly agree.
        if let Some(run) = self.last.and_then(|last| self.runs.get_mut(last))
            && run.modseq == modseq
            && run.flags == flags
        {
            run.uids.insert(uid);
            return;
        }
        let at = match self.by_flags.get(&(modseq, flags.clone())) {
            Some(at) => *at,
            None => {
                self.by_flags.insert((modseq, flags.clone()), self.runs.len());
                self.runs.push(FlagRun { uids: UidSet::new(), modseq, flags });
                self.runs.len() - 1
            }
        };
        self.last = Some(at);
        self.runs[at].uids.insert(uid);
    }
}
