//! SELECT and EXAMINE: one snapshot.

use sqlx::PgConnection;
use staffetta_mailstore_api::{
    Access, Keyword, MailboxId, MailboxStatus, MailstoreError, OpenMode, OpenRequest, Opened, ResyncRequest,
    SyncDelta, Uid, UidSet, UidValidity,
};

use crate::error::{cannot, database, internal};
use crate::ranges::{count, small, uid};
use crate::store::{PostgresMailstore, modseq_from};
use crate::sync;

/// A row of `contents.sql`; the columns mean what its kind says.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    kind: i16,
    a: Option<i64>,
    b: Option<i64>,
    c: Option<i64>,
    d: Option<i64>,
    e: Option<i64>,
    f: Option<i64>,
    g: Option<i64>,
    h: Option<i64>,
    text: Option<String>,
}

impl PostgresMailstore {
    pub(crate) async fn open_mailbox(
        &self,
        access: &Access,
        request: &OpenRequest,
    ) -> Result<Opened, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let failed = |error: sqlx::Error| database(&error);
        let mut opened = match &request.resync {
            None => {
                let mut connection = self.pool().acquire().await.map_err(failed)?;
                contents(&mut connection, access, request).await?
            }
            Some(known) => {
                // Two statements that must see the same.
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let mut transaction = self.pool().begin_with(begin).await.map_err(failed)?;
                let mut opened = contents(&mut transaction, access, request).await?;
                opened.resync = resync(&mut transaction, access, &opened, known).await?;
                transaction.commit().await.map_err(failed)?;
                opened
            }
        };
        if request.mode == OpenMode::ReadWrite && !opened.recent.is_empty() {
            let next = opened.status.uid_next;
            let claimed =
                sync::claim_recent(self.pool(), access.account, opened.status.mailbox, next).await?;
            // Another session may have been faster for some or all of them.
            opened.recent = claimed.map(|from| from_uid(&opened.uids, from)).unwrap_or_default();
            opened.status.recent = u32::try_from(opened.recent.len()).unwrap_or(u32::MAX);
        }
        Ok(opened)
    }
}

async fn contents(
    connection: &mut PgConnection,
    access: &Access,
    request: &OpenRequest,
) -> Result<Opened, MailstoreError> {
    let rows: Vec<Row> = sqlx::query_as(include_str!("sql/mailbox/contents.sql"))
        .bind(access.account.0)
        .bind(request.name.as_str())
        .fetch_all(connection)
        .await
        .map_err(|error| database(&error))?;
    let mailbox = rows.iter().find(|row| row.kind == 0).ok_or(MailstoreError::MailboxNotFound)?;
    if mailbox.text.is_some() {
        return Err(cannot("mailbox cannot be selected"));
    }
    let mut runs: Vec<(i64, i64)> =
        rows.iter().filter(|row| row.kind == 1).filter_map(|row| Some((row.a?, row.b?))).collect();
    runs.sort_unstable();
    let uids = sync::uid_set(runs)?;
    let first_unseen = rows.iter().find(|row| row.kind == 2).and_then(|row| row.a).map(uid).transpose()?;
    let mut keywords: Vec<Keyword> =
        rows.iter().filter(|row| row.kind == 3).filter_map(|row| row.text.clone()?.try_into().ok()).collect();
    keywords.sort();
    keywords.dedup();
    let status = status(mailbox)?;
    let recent = from_uid(&uids, uid(mailbox.h.unwrap_or(1))?);
    let status = MailboxStatus { recent: u32::try_from(recent.len()).unwrap_or(u32::MAX), ..status };
    Ok(Opened { status, uids, recent, first_unseen, keywords, resync: None })
}

fn status(row: &Row) -> Result<MailboxStatus, MailstoreError> {
    let column = |value: Option<i64>| value.ok_or_else(|| internal("mailbox row without a counter"));
    Ok(MailboxStatus {
        mailbox: MailboxId(column(row.a)?),
        uid_validity: UidValidity(small(column(row.b)?)),
        uid_next: uid(column(row.c)?)?,
        highest_modseq: modseq_from(column(row.d)?),
        messages: small(column(row.e)?),
        unseen: small(column(row.f)?),
        recent: 0,
        bytes: count(column(row.g)?),
    })
}

fn from_uid(uids: &UidSet, first: Uid) -> UidSet {
    uids.intersection(&std::iter::once(first..=Uid::MAX).collect())
}

async fn resync(
    connection: &mut PgConnection,
    access: &Access,
    opened: &Opened,
    known: &ResyncRequest,
) -> Result<Option<SyncDelta>, MailstoreError> {
    if known.uid_validity != opened.status.uid_validity {
        return Ok(None);
    }
    let below_next = sync::below(opened.status.uid_next);
    let uids = known.known_uids.as_ref().unwrap_or(&below_next);
    let changes = sync::changes(connection, access.account, opened.status.mailbox, known.modseq).await?;
    Ok(Some(changes.delta(&opened.uids, uids)))
}
