//! Metadata of messages, in chunks: no connection is held while a client reads slowly.

use async_stream::try_stream;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sqlx::PgPool;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Access, FetchItems, FetchRequest, FetchedMessage, MailboxId, MailstoreError, ModSeq,
};
use staffetta_message::header_block::decompress_header;

use crate::error::{database, internal};
use crate::ranges::{Ranges, column, count, uid};
use crate::store::{PostgresMailstore, flags_from, modseq_from, selected};

/// Messages of one statement: the first is small so that a client sees something at once.
const FIRST_CHUNK: usize = 200;
const CHUNK: usize = 1_000;

/// A message with what may be wanted of its body row.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct MessageRow {
    pub(crate) uid: i64,
    pub(crate) modseq: i64,
    pub(crate) flags: i16,
    pub(crate) keywords: Option<Vec<String>>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) size: i64,
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) skeleton: Option<Vec<u8>>,
}

/// What every chunk of a fetch needs.
struct Fetch {
    pool: PgPool,
    account: AccountId,
    mailbox: MailboxId,
    items: FetchItems,
    changed_since: ModSeq,
}

impl PostgresMailstore {
    pub(crate) async fn fetch_messages(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let mut ranges = Ranges::new(&request.uids);
        let fetch = Fetch {
            pool: self.pool().clone(),
            account: access.account,
            mailbox: request.mailbox,
            items: request.items,
            changed_since: request.changed_since.unwrap_or_default(),
        };
        let first = fetch.chunk(&mut ranges, FIRST_CHUNK).await?;
        if first.is_empty() {
            // Nothing found may mean that the mailbox is gone.
            let mut connection = self.pool().acquire().await.map_err(|error| database(&error))?;
            selected(&mut connection, access.account, request.mailbox).await?;
        }
        let messages = try_stream! {
            let mut rows = first;
            loop {
                for row in rows {
                    yield fetched(row, fetch.items)?;
                }
                if ranges.next().is_none() {
                    break;
                }
                rows = fetch.chunk(&mut ranges, CHUNK).await?;
            }
        };
        Ok(messages.boxed())
    }
}

impl Fetch {
    async fn chunk(&self, ranges: &mut Ranges, limit: usize) -> Result<Vec<MessageRow>, MailstoreError> {
        let Some((first, last)) = ranges.next() else { return Ok(Vec::new()) };
        let plain = !self.items.header && !self.items.skeleton;
        let sql = if plain {
            include_str!("sql/message/fetch_plain.sql")
        } else {
            include_str!("sql/message/fetch_full.sql")
        };
        let query = sqlx::query_as(sql)
            .bind(self.account.0)
            .bind(self.mailbox.0)
            .bind(first)
            .bind(last)
            .bind(column(self.changed_since.0))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = if plain { query } else { query.bind(self.items.header).bind(self.items.skeleton) };
        let rows: Vec<MessageRow> = query.fetch_all(&self.pool).await.map_err(|error| database(&error))?;
        ranges.advance(rows.len(), limit, rows.last().map(|row| row.uid));
        Ok(rows)
    }
}

fn fetched(row: MessageRow, items: FetchItems) -> Result<FetchedMessage, MailstoreError> {
    let header = match row.header {
        Some(stored) => Some(header(&stored)?),
        // Too large to be kept apart.
        None => items.header.then(Bytes::new),
    };
    Ok(FetchedMessage {
        uid: uid(row.uid)?,
        modseq: modseq_from(row.modseq),
        flags: flags_from(row.flags, row.keywords),
        received_at: row.received_at,
        size: count(row.size),
        skeleton: row.skeleton.map(Bytes::from),
        header,
    })
}

/// A header block as it was.
pub(crate) fn header(stored: &[u8]) -> Result<Bytes, MailstoreError> {
    decompress_header(stored).map(Bytes::from).map_err(|error| internal(error.to_string()))
}
