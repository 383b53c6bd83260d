//! Compact sets of UIDs.

use std::ops::RangeInclusive;

use crate::Uid;

/// A set of UIDs as sorted, disjoint, non-adjacent runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UidSet {
    runs: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Every UID.
    #[must_use]
    pub fn all() -> Self {
        Self { runs: vec![(1, u32::MAX)] }
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Number of UIDs in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether `uid` is in the set.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        let uid = uid.get();
        let after = self.runs.partition_point(|(first, _)| *first <= uid);
        after > 0 && self.runs[after - 1].1 >= uid
    }

    /// The smallest UID.
    #[must_use]
    pub fn first(&self) -> Option<Uid> {
        self.runs.first().and_then(|run| Uid::new(run.0))
    }

    /// The largest UID.
    #[must_use]
    pub fn last(&self) -> Option<Uid> {
        self.runs.last().and_then(|run| Uid::new(run.1))
    }

    /// Adds one UID.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid..=uid);
    }

    /// Adds all UIDs of a range; an inverted range adds nothing. Appending at the end is O(1).
    pub fn insert_range(&mut self, range: RangeInclusive<Uid>) {
        let (first, last) = (range.start().get(), range.end().get());
        if first > last {
            return;
        }
        // The runs that touch or overlap [first, last] are replaced by their union.
        let from = self.runs.partition_point(|(_, end)| end.checked_add(1).is_some_and(|next| next < first));
        let to =
            self.runs.partition_point(|(start, _)| last.checked_add(1).is_none_or(|next| *start <= next));
        let merged = if from < to {
            (first.min(self.runs[from].0), last.max(self.runs[to - 1].1))
        } else {
            (first, last)
        };
        self.runs.splice(from..to, [merged]);
    }

    /// Removes one UID; answers whether it was there.
    pub fn remove(&mut self, uid: Uid) -> bool {
        let value = uid.get();
        let after = self.runs.partition_point(|(first, _)| *first <= value);
        if after == 0 || self.runs[after - 1].1 < value {
            return false;
        }
        let (first, last) = self.runs[after - 1];
        let left = (first < value).then(|| (first, value - 1));
        let right = (value < last).then(|| (value + 1, last));
        self.runs.splice(after - 1..after, left.into_iter().chain(right));
        true
    }

    /// The UIDs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let (mut a, mut b) = (0, 0);
        while a < self.runs.len() && b < other.runs.len() {
            let first = self.runs[a].0.max(other.runs[b].0);
            let last = self.runs[a].1.min(other.runs[b].1);
            if first <= last {
                runs.push((first, last));
            }
            if self.runs[a].1 < other.runs[b].1 { a += 1 } else { b += 1 }
        }
        Self { runs }
    }

    /// The UIDs in this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let mut b = 0;
        for &(first, last) in &self.runs {
            let mut next = u64::from(first);
            while b < other.runs.len() && u64::from(other.runs[b].1) < next {
                b += 1;
            }
            let mut at = b;
            while at < other.runs.len() && other.runs[at].0 <= last {
                let (cut_first, cut_last) = other.runs[at];
                if next < u64::from(cut_first) {
                    runs.push((u32::try_from(next).unwrap_or(u32::MAX), cut_first - 1));
                }
                next = u64::from(cut_last) + 1;
                at += 1;
            }
            if next <= u64::from(last) {
                runs.push((u32::try_from(next).unwrap_or(u32::MAX), last));
            }
        }
        Self { runs }
    }

    /// The UIDs in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut base, more) =
            if self.runs.len() >= other.runs.len() { (self.clone(), other) } else { (other.clone(), self) };
        for run in more.runs() {
            base.insert_range(run);
        }
        base
    }

    /// The runs in ascending order.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<Uid>> + ExactSizeIterator + '_ {
        self.runs.iter().map(|&(first, last)| {
            // A run never holds zero: `insert_range` takes UIDs, and `remove` only narrows.
            Uid::new(first).unwrap_or(Uid::MIN)..=Uid::new(last).unwrap_or(Uid::MIN)
        })
    }

    /// The UIDs in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.runs.iter().flat_map(|&(first, last)| (first..=last).filter_map(Uid::new))
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<T: IntoIterator<Item = Uid>>(uids: T) -> Self {
        let mut set = Self::new();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

impl FromIterator<RangeInclusive<Uid>> for UidSet {
    fn from_iter<T: IntoIterator<Item = RangeInclusive<Uid>>>(ranges: T) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert_range(range);
        }
        set
    }
}

impl From<Uid> for UidSet {
    fn from(uid: Uid) -> Self {
        Self { runs: vec![(uid.get(), uid.get())] }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(uids: &BTreeSet<u32>) -> UidSet {
        uids.iter().filter_map(|uid| Uid::new(*uid)).collect()
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            a in prop::collection::btree_set(1u32..60, 0..40),
            b in prop::collection::btree_set(1u32..60, 0..40),
            order in any::<u64>(),
        ) {
            let mut shuffled: Vec<_> = a.iter().copied().collect();
            shuffled.sort_by_key(|uid| u64::from(*uid).wrapping_mul(order | 1));
            let inserted: UidSet = shuffled.into_iter().filter_map(Uid::new).collect();
            prop_assert_eq!(&inserted, &set(&a));
            prop_assert_eq!(inserted.len(), a.len() as u64);
            prop_assert_eq!(set(&a).intersection(&set(&b)), set(&(&a & &b)));
            prop_assert_eq!(set(&a).difference(&set(&b)), set(&(&a - &b)));
            prop_assert_eq!(set(&a).union(&set(&b)), set(&(&a | &b)));
            let mut removed = set(&a);
            for uid in &b {
                prop_assert_eq!(removed.remove(Uid::new(*uid).unwrap()), a.contains(uid));
            }
            prop_assert_eq!(removed, set(&(&a - &b)));
        }
    }

    #[test]
    fn holds_the_whole_range_without_overflow() {
        let mut all = UidSet::all();
        all.insert(Uid::MAX);
        assert_eq!(all.len(), u64::from(u32::MAX));
        assert!(all.remove(Uid::MAX));
        assert_eq!(all.last(), Uid::new(u32::MAX - 1));
        assert!(UidSet::all().difference(&UidSet::all()).is_empty());
    }
}
