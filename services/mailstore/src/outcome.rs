//! What keyed writes answered, kept so that a repetition answers the same.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{IdempotencyKey, MailstoreError, Uid, UidSet};

use crate::error::{database, internal};

/// A set of UIDs as pairs.
pub(crate) type Runs = Vec<(u32, u32)>;

/// The answer of one write, or of one chunk of a long one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Append { uid_validity: u32, uid: u32 },
    Store(StoredChunk),
    Copy { uid_validity: u32, source: Runs, target: Runs, source_modseq: u64 },
    Expunge { uids: Runs, highest_modseq: u64, last: bool },
    Maildrop,
}

/// One chunk of a STORE.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredChunk {
    /// UIDs, MODSEQ, system flags, keywords.
    pub(crate) stored: Vec<(Runs, u64, u8, Vec<String>)>,
    pub(crate) modified: Runs,
    pub(crate) highest_modseq: u64,
    /// Where the next chunk goes on; `None`: this was the last.
    pub(crate) last_uid: Option<u32>,
}

/// A write's key and which chunk of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteKey {
    pub(crate) account: AccountId,
    pub(crate) key: IdempotencyKey,
    pub(crate) chunk: i32,
}

impl WriteKey {
    pub(crate) fn new(account: AccountId, key: IdempotencyKey) -> Self {
        Self { account, key, chunk: 0 }
    }

    /// The earlier answer. Call it under the account's lock.
    pub(crate) async fn find(self, connection: &mut PgConnection) -> Result<Option<Outcome>, MailstoreError> {
        let found: Option<String> = sqlx::query_scalar(include_str!("sql/write_key/find.sql"))
            .bind(self.account.0)
            .bind(self.key.0)
            .bind(self.chunk)
            .fetch_optional(connection)
            .await
            .map_err(|error| database(&error))?;
        found.map(|text| parse(&text)).transpose()
    }

    /// Remembers the answer in the transaction of the write.
    pub(crate) async fn insert(
        self,
        connection: &mut PgConnection,
        outcome: &Outcome,
    ) -> Result<(), MailstoreError> {
        let text = serde_json::to_string(outcome).map_err(|error| internal(error.to_string()))?;
        sqlx::query(include_str!("sql/write_key/insert.sql"))
            .bind(self.account.0)
            .bind(self.key.0)
            .bind(self.chunk)
            .bind(text)
            .execute(connection)
            .await
            .map_err(|error| database(&error))?;
        Ok(())
    }
}

pub(crate) fn parse(text: &str) -> Result<Outcome, MailstoreError> {
    serde_json::from_str(text).map_err(|error| internal(format!("stored outcome: {error}")))
}

/// The key names another kind of write.
pub(crate) fn reused() -> MailstoreError {
    MailstoreError::Invalid { message: "idempotency key was used for another kind of write".to_owned() }
}

pub(crate) fn runs(uids: &UidSet) -> Runs {
    uids.runs().map(|run| (run.start().get(), run.end().get())).collect()
}

pub(crate) fn uid_set(runs: &Runs) -> UidSet {
    runs.iter().filter_map(|(first, last)| Some(Uid::new(*first)?..=Uid::new(*last)?)).collect()
}
