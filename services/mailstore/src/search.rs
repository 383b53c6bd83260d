//! SEARCH: bounds in SQL, the rest on rows in chunks; bodies are read only where nothing cheaper decides.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use staffetta_mailstore_api::{
    Access, MailstoreError, Search, SearchHits, SearchKey, SearchRequest, SystemFlag,
};

use crate::bodies::addresses;
use crate::error::{database, store};
use crate::fetch::MessageRow;
use crate::ranges::{Ranges, column};
use crate::store::{PostgresMailstore, selected};

mod candidate;

use candidate::{Candidate, needs};

/// Messages of one statement.
const CHUNK: usize = 1_000;
/// With headers they are larger.
const CHUNK_WITH_HEADERS: usize = 250;
/// A body beyond this is not searched, in octets; what is in memory at once is a few of them.
const MOST_BODY: u64 = 64 << 20;

/// What every match must fulfil, as far as plain columns tell.
#[derive(Debug, PartialEq, Eq)]
struct Bounds {
    looked_at: i16,
    values: i16,
    modseq: u64,
    size: RangeInclusive<u64>,
    /// Two keys exclude each other.
    nothing: bool,
}

#[async_trait]
impl Search for PostgresMailstore {
    async fn search(&self, access: &Access, request: &SearchRequest) -> Result<SearchHits, MailstoreError> {
        request.key.check()?;
        self.enter(access.account, access.epoch).await?;
        let mut connection = self.pool().acquire().await.map_err(|error| database(&error))?;
        selected(&mut connection, access.account, request.mailbox).await?;
        drop(connection);
        let mut hits = SearchHits::default();
        let bounds = Bounds::of(&request.key);
        if bounds.nothing {
            return Ok(hits);
        }
        let needs = needs(&request.key);
        let limit = if needs.header || needs.body { CHUNK_WITH_HEADERS } else { CHUNK };
        let mut ranges = Ranges::new(&request.among);
        while let Some((first, last)) = ranges.next() {
            let rows: Vec<MessageRow> = sqlx::query_as(include_str!("sql/message/search.sql"))
                .bind(access.account.0)
                .bind(request.mailbox.0)
                .bind(first)
                .bind(last)
                .bind(bounds.looked_at)
                .bind(bounds.values)
                .bind(column(bounds.modseq))
                .bind(column(*bounds.size.start()))
                .bind(column(*bounds.size.end()))
                .bind(needs.header)
                .bind(needs.body)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(self.pool())
                .await
                .map_err(|error| database(&error))?;
            ranges.advance(rows.len(), limit, rows.last().map(|row| row.uid));
            self.judge(access, request, rows, &mut hits).await?;
        }
        Ok(hits)
    }
}

impl PostgresMailstore {
    async fn judge(
        &self,
        access: &Access,
        request: &SearchRequest,
        rows: Vec<MessageRow>,
        hits: &mut SearchHits,
    ) -> Result<(), MailstoreError> {
        let mut undecided = Vec::new();
        for row in rows {
            let candidate = Candidate::new(row)?;
            match candidate.matches(&request.key, None) {
                Some(true) => hit(hits, &candidate),
                Some(false) => {}
                None => undecided.push(candidate),
            }
        }
        if undecided.is_empty() {
            return Ok(());
        }
        let uids: Vec<i64> = undecided.iter().map(|candidate| i64::from(candidate.uid.get())).collect();
        let found = addresses(self.pool(), access.account, request.mailbox, &uids).await?;
        // A message that vanished meanwhile matches nothing.
        let (candidates, bodies): (Vec<_>, Vec<_>) = undecided
            .into_iter()
            .filter_map(|candidate| {
                let address = found.get(&candidate.uid)?.clone();
                (address.len <= MOST_BODY).then_some((candidate, address))
            })
            .unzip();
        let mut bodies = self.inner.reader.many(bodies);
        for candidate in candidates {
            let Some(body) = bodies.try_next().await.map_err(|error| store(&error))? else { break };
            // Decoding is work: let others in between.
            tokio::task::yield_now().await;
            if candidate.matches(&request.key, Some(&body)) == Some(true) {
                hit(hits, &candidate);
            }
        }
        Ok(())
    }
}

fn hit(hits: &mut SearchHits, candidate: &Candidate) {
    hits.uids.insert(candidate.uid);
    hits.highest_modseq = hits.highest_modseq.max(candidate.modseq);
}

impl Bounds {
    fn of(key: &SearchKey) -> Self {
        let mut bounds = Self { looked_at: 0, values: 0, modseq: 0, size: 0..=u64::MAX, nothing: false };
        bounds.narrow(key);
        bounds
    }

    fn narrow(&mut self, key: &SearchKey) {
        match key {
            SearchKey::And(keys) => keys.iter().for_each(|key| self.narrow(key)),
            SearchKey::Flag(flag) => self.flag(*flag, true),
            SearchKey::Not(inner) => {
                if let SearchKey::Flag(flag) = **inner {
                    self.flag(flag, false);
                }
            }
            SearchKey::ModSeq(modseq) => self.modseq = self.modseq.max(modseq.0),
            SearchKey::Larger(size) => match size.checked_add(1) {
                Some(least) => self.size = (*self.size.start()).max(least)..=*self.size.end(),
                None => self.nothing = true,
            },
            SearchKey::Smaller(size) => match size.checked_sub(1) {
                Some(most) => self.size = *self.size.start()..=(*self.size.end()).min(most),
                None => self.nothing = true,
            },
            _ => {}
        }
    }

    fn flag(&mut self, flag: SystemFlag, set: bool) {
        let bit = i16::from(flag as u8);
        let value = if set { bit } else { 0 };
        self.nothing |= self.looked_at & bit != 0 && self.values & bit != value;
        self.looked_at |= bit;
        self.values = (self.values & !bit) | value;
    }
}

#[cfg(test)]
mod tests {
    use staffetta_mailstore_api::ModSeq;

    use super::*;

    #[test]
    fn only_what_every_match_fulfils_is_a_bound() {
        let unseen = SearchKey::Not(Box::new(SearchKey::Flag(SystemFlag::Seen)));
        let key = SearchKey::And(vec![
            unseen.clone(),
            SearchKey::Flag(SystemFlag::Flagged),
            SearchKey::Larger(10),
            SearchKey::Smaller(20),
            SearchKey::ModSeq(ModSeq(7)),
            SearchKey::Or(vec![SearchKey::Flag(SystemFlag::Draft), SearchKey::All]),
        ]);
        let wanted = Bounds { looked_at: 5, values: 4, modseq: 7, size: 11..=19, nothing: false };
        assert_eq!(Bounds::of(&key), wanted);
        let contradiction = SearchKey::And(vec![unseen, SearchKey::Flag(SystemFlag::Seen)]);
        assert!(Bounds::of(&contradiction).nothing);
        assert!(Bounds::of(&SearchKey::Smaller(0)).nothing);
    }
}
