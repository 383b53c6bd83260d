//! Sequence numbers of a mailbox: message `n` is the `n`-th smallest UID.

use std::ops::RangeInclusive;

use staffetta_mailstore_api::{Uid, UidSet};

/// The numbering, kept as runs of consecutive UIDs, so that a million messages that were never expunged cost one run.
#[derive(Debug, Default)]
pub struct Numbers {
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    first: u32,
    last: u32,
    /// Sequence number of `first`.
    number: u32,
}

impl Run {
    fn len(self) -> u32 {
        self.last - self.first + 1
    }
}

impl Numbers {
    /// Numbers the messages of a set.
    pub fn new(uids: &UidSet) -> Self {
        let mut numbers = Self::default();
        numbers.rebuild(uids);
        numbers
    }

    /// How many messages there are.
    pub fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.number + (run.len() - 1))
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The largest UID.
    pub fn last(&self) -> Option<Uid> {
        self.runs.last().and_then(|run| Uid::new(run.last))
    }

    /// The number of a message.
    pub fn number(&self, uid: Uid) -> Option<u32> {
        let uid = uid.get();
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid))?;
        (run.first <= uid).then(|| run.number + (uid - run.first))
    }

    /// The messages whose numbers lie in a range, as runs of UIDs.
    pub fn uid_runs(&self, numbers: RangeInclusive<u32>) -> Vec<RangeInclusive<Uid>> {
        let (low, high) = (*numbers.start(), *numbers.end());
        let from = self.runs.partition_point(|run| run.number + (run.len() - 1) < low);
        let runs = self.runs[from..].iter().take_while(|run| run.number <= high);
        let cut = runs.map(|run| {
            let first = run.first + low.saturating_sub(run.number);
            let last = run.first + (high - run.number).min(run.len() - 1);
            (first, last)
        });
        cut.filter_map(|(first, last)| Some(Uid::new(first)?..=Uid::new(last)?)).collect()
    }

    /// The messages.
    pub fn uids(&self) -> UidSet {
        self.runs.iter().filter_map(|run| Some(Uid::new(run.first)?..=Uid::new(run.last)?)).collect()
    }

    /// Adds messages; UIDs grow, so numbers that were given stay.
    pub fn extend(&mut self, uids: &UidSet) {
        if !uids.is_empty() {
            self.rebuild(&self.uids().union(uids));
        }
    }

    /// Removes messages and answers each with the number it has when those before it are already gone.
    pub fn remove(&mut self, uids: &UidSet) -> Vec<(u32, Uid)> {
        let all = self.uids();
        let present = all.intersection(uids);
        let numbered = present.iter().enumerate().filter_map(|(removed, uid)| {
            let number = self.number(uid)?;
            Some((number - u32::try_from(removed).unwrap_or(u32::MAX).min(number - 1), uid))
        });
        let numbered = numbered.collect();
        self.rebuild(&all.difference(&present));
        numbered
    }

    fn rebuild(&mut self, uids: &UidSet) {
        self.runs.clear();
        let mut number = 1;
        for range in uids.runs() {
            let run = Run { first: range.start().get(), last: range.end().get(), number };
            number = number.saturating_add(run.len());
            self.runs.push(run);
        }
    }
}
