//! Reading bodies: small ones whole and verified, neighbours together; large ones as a stream.

use async_stream::try_stream;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use rustc_hash::FxHashMap;
use sqlx::PgPool;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{Access, Bodies, BodyChunk, BodyRange, MailboxId, MailstoreError, Uid};
use staffetta_packs::{BodyAddress, Checksum, PackId, PackName, PackReader, WriterId};
use uuid::Uuid;

use crate::error::{database, internal, store};
use crate::ranges::count;
use crate::store::{PostgresMailstore, selected};

/// Largest chunk of an answer in octets.
const CHUNK: usize = 256 * 1024;
/// Ranges whose addresses are looked up together.
const LOOKUP: usize = 500;
/// Bodies up to this length are read whole.
const SMALL: u64 = 1 << 20;

#[derive(Debug, sqlx::FromRow)]
struct Row {
    uid: i64,
    pack_id: Uuid,
    writer: String,
    pack_offset: i64,
    length: i64,
    checksum: Vec<u8>,
}

/// One range with the address of its body, if the message is still there.
type Located = (u32, BodyRange, Option<BodyAddress>);

#[async_trait]
impl Bodies for PostgresMailstore {
    async fn read(
        &self,
        access: &Access,
        mailbox: MailboxId,
        ranges: &[BodyRange],
    ) -> Result<BoxStream<'static, Result<BodyChunk, MailstoreError>>, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let (pool, reader, account) = (self.pool().clone(), self.inner.reader.clone(), access.account);
        let numbered: Vec<(u32, BodyRange)> = (0..).zip(ranges.iter().copied()).collect();
        let mut groups = numbered.chunks(LOOKUP).map(<[_]>::to_vec).collect::<Vec<_>>().into_iter();
        let first = groups.next().unwrap_or_default();
        let first = locate(&pool, account, mailbox, first).await?;
        if first.iter().all(|(_, _, address)| address.is_none()) {
            // Nothing found may mean that the mailbox is gone.
            let mut connection = pool.acquire().await.map_err(|error| database(&error))?;
            selected(&mut connection, account, mailbox).await?;
        }
        let chunks = try_stream! {
            let mut group = first;
            loop {
                for run in runs(group) {
                    let mut chunks = run.read(&reader);
                    while let Some(chunk) = chunks.try_next().await? {
                        yield chunk;
                    }
                }
                let Some(next) = groups.next() else { break };
                group = locate(&pool, account, mailbox, next).await?;
            }
        };
        Ok(chunks.boxed())
    }
}

async fn locate(
    pool: &PgPool,
    account: AccountId,
    mailbox: MailboxId,
    ranges: Vec<(u32, BodyRange)>,
) -> Result<Vec<Located>, MailstoreError> {
    let uids: Vec<i64> = ranges.iter().map(|(_, range)| i64::from(range.uid.get())).collect();
    let found = addresses(pool, account, mailbox, &uids).await?;
    Ok(ranges.into_iter().map(|(index, range)| (index, range, found.get(&range.uid).cloned())).collect())
}

/// Where the bodies of messages lie; those that are gone are left out.
pub(crate) async fn addresses(
    pool: &PgPool,
    account: AccountId,
    mailbox: MailboxId,
    uids: &[i64],
) -> Result<FxHashMap<Uid, BodyAddress>, MailstoreError> {
    if uids.is_empty() {
        return Ok(FxHashMap::default());
    }
    let rows: Vec<Row> = sqlx::query_as(include_str!("sql/message/addresses.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .bind(uids)
        .fetch_all(pool)
        .await
        .map_err(|error| database(&error))?;
    rows.into_iter()
        .map(|row| {
            let checksum =
                Checksum::from_slice(&row.checksum).ok_or_else(|| internal("checksum of another length"))?;
            let pack = PackName { id: PackId::from_uuid(row.pack_id), writer: WriterId::new(&row.writer) };
            let address =
                BodyAddress { pack, offset: count(row.pack_offset), len: count(row.length), checksum };
            Ok((crate::ranges::uid(row.uid)?, address))
        })
        .collect()
}

/// Consecutive ranges that are read alike.
enum Run {
    Missing(u32),
    Small(Vec<(u32, BodyRange, BodyAddress)>),
    Large(u32, BodyRange, BodyAddress),
}

fn runs(located: Vec<Located>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (index, range, address) in located {
        match (address, runs.last_mut()) {
            (None, _) => runs.push(Run::Missing(index)),
            (Some(address), _) if address.len > SMALL => runs.push(Run::Large(index, range, address)),
            (Some(address), Some(Run::Small(run))) => run.push((index, range, address)),
            (Some(address), _) => runs.push(Run::Small(vec![(index, range, address)])),
        }
    }
    runs
}

impl Run {
    fn read(self, reader: &PackReader) -> BoxStream<'static, Result<BodyChunk, MailstoreError>> {
        let reader = reader.clone();
        let chunks = try_stream! {
            match self {
                Self::Missing(range) => yield BodyChunk { range, data: Bytes::new(), last: true, missing: true },
                Self::Small(run) => {
                    let mut bodies = reader.many(run.iter().map(|(_, _, address)| address.clone()).collect());
                    for (index, range, _) in run {
                        let body = bodies.try_next().await.map_err(|error| store(&error))?;
                        for chunk in chunks(index, cut(&body.unwrap_or_default(), &range)) {
                            yield chunk;
                        }
                    }
                }
                Self::Large(index, range, address) => {
                    let end = range.length.map_or(u64::MAX, |length| range.offset.saturating_add(length));
                    let mut pieces = reader.stream(&address, range.offset..end).await.map_err(|error| store(&error))?;
                    while let Some(piece) = pieces.try_next().await.map_err(|error| store(&error))? {
                        for chunk in chunks(index, piece) {
                            yield BodyChunk { last: false, ..chunk };
                        }
                    }
                    // A body is only known to be whole once its stream has ended.
                    yield BodyChunk { range: index, data: Bytes::new(), last: true, missing: false };
                }
            }
        };
        chunks.boxed()
    }
}

fn cut(body: &Bytes, range: &BodyRange) -> Bytes {
    let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    let end = range.length.map_or(u64::MAX, |length| range.offset.saturating_add(length));
    body.slice(clip(range.offset)..clip(end))
}

fn chunks(range: u32, mut rest: Bytes) -> impl Iterator<Item = BodyChunk> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let data = rest.split_to(rest.len().min(CHUNK));
        ended = rest.is_empty();
        Some(BodyChunk { range, data, last: ended, missing: false })
    })
}
