//! UID sets as the database takes them: arrays of first and last UIDs, a bounded number of runs at a time.

use staffetta_mailstore_api::{MailstoreError, Uid, UidSet};

use crate::error::internal;

/// Runs of one statement: a hostile set of single UIDs costs more statements, not a longer one.
const RUNS: usize = 2_000;

/// What is left of a UID set while it is worked through in ascending order.
pub(crate) struct Ranges {
    rest: Vec<(i64, i64)>,
    at: usize,
}

impl Ranges {
    pub(crate) fn new(uids: &UidSet) -> Self {
        let rest =
            uids.runs().map(|run| (i64::from(run.start().get()), i64::from(run.end().get()))).collect();
        Self { rest, at: 0 }
    }

    /// First and last UIDs for the next statement; `None` when all is done.
    pub(crate) fn next(&self) -> Option<(Vec<i64>, Vec<i64>)> {
        let runs = &self.rest[self.at..self.rest.len().min(self.at + RUNS)];
        (!runs.is_empty()).then(|| runs.iter().copied().unzip())
    }

    /// The statement found `found` rows of `limit` and stopped at UID `last`.
    pub(crate) fn advance(&mut self, found: usize, limit: usize, last: Option<i64>) {
        let Some(last) = last.filter(|_| found >= limit) else {
            self.at = self.rest.len().min(self.at + RUNS);
            return;
        };
        while self.rest.get(self.at).is_some_and(|run| run.1 <= last) {
            self.at += 1;
        }
        if let Some(run) = self.rest.get_mut(self.at) {
            run.0 = run.0.max(last + 1);
        }
    }

    /// Skips everything up to `last`.
    pub(crate) fn skip_to(&mut self, last: i64) {
        self.advance(1, 1, Some(last));
    }
}

/// A UID column.
pub(crate) fn uid(column: i64) -> Result<Uid, MailstoreError> {
    u32::try_from(column)
        .ok()
        .and_then(Uid::new)
        .ok_or_else(|| internal(format!("UID {column} in the database")))
}

/// A counter that is never negative.
pub(crate) fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A `uidvalidity` or a small counter.
pub(crate) fn small(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}

/// A size or limit as a column; beyond what a column holds is the largest.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A quota limit as a column: 0 means none.
pub(crate) fn quota(limit: u64) -> i64 {
    if limit == 0 { i64::MAX } else { column(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(runs: &[(u32, u32)]) -> UidSet {
        runs.iter().map(|(a, b)| Uid::new(*a).unwrap()..=Uid::new(*b).unwrap()).collect()
    }

    #[test]
    fn a_full_chunk_goes_on_behind_its_last_uid() {
        let mut ranges = Ranges::new(&set(&[(1, 10), (20, 30)]));
        assert_eq!(ranges.next(), Some((vec![1, 20], vec![10, 30])));
        ranges.advance(5, 5, Some(7));
        assert_eq!(ranges.next(), Some((vec![8, 20], vec![10, 30])));
        ranges.advance(5, 5, Some(21));
        assert_eq!(ranges.next(), Some((vec![22], vec![30])));
        ranges.advance(2, 5, Some(30));
        assert_eq!(ranges.next(), None);
    }

    #[test]
    fn many_runs_take_several_statements() {
        let uids: UidSet = (1..=2_500_u32).filter_map(|n| Uid::new(n * 2)).collect();
        let mut ranges = Ranges::new(&uids);
        assert_eq!(ranges.next().unwrap().0.len(), 2_000);
        ranges.advance(3, 1000, Some(10));
        assert_eq!(ranges.next().unwrap().0.len(), 500);
        ranges.advance(0, 1000, None);
        assert_eq!(ranges.next(), None);
    }
}
