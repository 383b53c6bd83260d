//! STORE, in chunks: each is a transaction of its own, so that delivery never waits long for the account.

use staffetta_mailstore_api::{
    Access, FlagRun, Flags, FlagsOperation, Keyword, MailstoreError, ModSeq, StoreOutcome, StoreRequest,
    UidSet,
};

use crate::error::database;
use crate::hints::Hint;
use crate::outcome::{Outcome, StoredChunk, WriteKey, reused, runs, uid_set};
use crate::ranges::{Ranges, column, uid};
use crate::store::{PostgresMailstore, flags_from, keyword_column, modseq_from, selected};
use crate::sync::FlagRuns;

/// Messages of one transaction.
const CHUNK: usize = 2_000;

#[derive(Debug, sqlx::FromRow)]
struct Row {
    uid: i64,
    held: bool,
    modseq: i64,
    changed: bool,
    flags: i16,
    keywords: Option<Vec<String>>,
}

impl PostgresMailstore {
    pub(crate) async fn store_flags(
        &self,
        access: &Access,
        request: &StoreRequest,
    ) -> Result<StoreOutcome, MailstoreError> {
        let mut key = WriteKey::new(access.account, request.key);
        let mut ranges = Ranges::new(&request.uids);
        let (mut stored, mut modified, mut highest) = (FlagRuns::default(), UidSet::new(), ModSeq(0));
        loop {
            let chunk = self.store_chunk(access, request, key, &mut ranges).await?;
            for (uids, modseq, bits, keywords) in chunk.stored {
                let flags = flags_of(bits, keywords);
                for uid in uid_set(&uids).iter() {
                    stored.add(uid, ModSeq(modseq), flags.clone());
                }
            }
            modified = modified.union(&uid_set(&chunk.modified));
            highest = highest.max(ModSeq(chunk.highest_modseq));
            if chunk.last_uid.is_none() {
                break;
            }
            key.chunk += 1;
        }
        Ok(StoreOutcome { stored: stored.runs, modified, highest_modseq: highest })
    }

    async fn store_chunk(
        &self,
        access: &Access,
        request: &StoreRequest,
        key: WriteKey,
        ranges: &mut Ranges,
    ) -> Result<StoredChunk, MailstoreError> {
        let account = access.account;
        let mut transaction = self.lock(access).await?;
        match key.find(&mut transaction).await? {
            Some(Outcome::Store(chunk)) => {
                if let Some(last) = chunk.last_uid {
                    ranges.skip_to(i64::from(last));
                }
                return Ok(chunk);
            }
            Some(_) => return Err(reused()),
            None => {}
        }
        let mailbox_modseq = selected(&mut transaction, account, request.mailbox).await?;
        let flags = match request.operation {
            FlagsOperation::Remove => request.flags.clone(),
            FlagsOperation::Replace | FlagsOperation::Add => {
                self.settle_keywords(&mut transaction, account, &request.flags).await?
            }
        };
        let Some((first, last)) = ranges.next() else {
            let highest_modseq = mailbox_modseq.0;
            return Ok(StoredChunk { highest_modseq, ..StoredChunk::default() });
        };
        let rows: Vec<Row> = sqlx::query_as(include_str!("sql/message/store_flags.sql"))
            .bind(account.0)
            .bind(request.mailbox.0)
            .bind(first)
            .bind(last)
            .bind(operation_column(request.operation))
            .bind(i16::from(flags.bits()))
            .bind(keyword_column(&flags))
            .bind(request.unchanged_since.map_or(i64::MAX, |since| column(since.0)))
            .bind(i64::try_from(CHUNK).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await
            .map_err(|error| database(&error))?;
        ranges.advance(rows.len(), CHUNK, rows.last().map(|row| row.uid));
        let changed_to = rows.iter().find(|row| row.changed).map(|row| modseq_from(row.modseq));
        let highest = changed_to.unwrap_or(mailbox_modseq);
        let last_uid = ranges.next().and_then(|_| rows.last()).map(|row| uid(row.uid)).transpose()?;
        let chunk = chunk_of(rows, highest, last_uid.map(|uid| uid.get()))?;
        key.insert(&mut transaction, &Outcome::Store(clone_of(&chunk))).await?;
        let hints: Vec<_> =
            changed_to.map(|modseq| Hint::mailbox(account, request.mailbox, modseq)).into_iter().collect();
        self.commit(transaction, &hints).await?;
        Ok(chunk)
    }
}

fn chunk_of(rows: Vec<Row>, highest: ModSeq, last_uid: Option<u32>) -> Result<StoredChunk, MailstoreError> {
    let (mut stored, mut modified) = (FlagRuns::default(), UidSet::new());
    for row in rows {
        let uid = uid(row.uid)?;
        if row.held {
            modified.insert(uid);
        } else {
            stored.add(uid, modseq_from(row.modseq), flags_from(row.flags, row.keywords));
        }
    }
    let stored = stored.runs.into_iter().map(|FlagRun { uids, modseq, flags }| {
        let keywords = flags.keywords().iter().map(|keyword| keyword.as_str().to_owned()).collect();
        (runs(&uids), modseq.0, flags.bits(), keywords)
    });
    Ok(StoredChunk {
        stored: stored.collect(),
        modified: runs(&modified),
        highest_modseq: highest.0,
        last_uid,
    })
}

fn clone_of(chunk: &StoredChunk) -> StoredChunk {
    StoredChunk { stored: chunk.stored.clone(), modified: chunk.modified.clone(), ..*chunk }
}

fn flags_of(bits: u8, keywords: Vec<String>) -> Flags {
    Flags::from_parts(
        bits,
        keywords.into_iter().filter_map(|keyword| Keyword::try_from(keyword).ok()).collect(),
    )
}

fn operation_column(operation: FlagsOperation) -> i16 {
    match operation {
        FlagsOperation::Replace => 0,
        FlagsOperation::Add => 1,
        FlagsOperation::Remove => 2,
    }
}
