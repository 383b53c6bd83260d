//! Sequence sets (RFC 3501 section 9): message numbers or UIDs as the client names them.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use smallvec::SmallVec;

/// `sequence-set`: never empty, in the client's order, ranges possibly reversed or overlapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet(SmallVec<[SequenceRange; 4]>);

/// `seq-range`, or a single `seq-number` as a range of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceRange {
    /// The first end as written; may be the larger one.
    pub first: SequenceNumber,
    /// The second end as written.
    pub last: SequenceNumber,
}

/// `seq-number`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceNumber {
    /// A number.
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Largest,
}

impl SequenceNumber {
    fn resolve(self, largest: u32) -> u32 {
        match self {
            Self::Number(number) => number.get(),
            Self::Largest => largest,
        }
    }
}

impl SequenceSet {
    /// The set of `ranges`; `None` if there are none.
    pub fn new(ranges: impl IntoIterator<Item = SequenceRange>) -> Option<Self> {
        let ranges: SmallVec<_> = ranges.into_iter().collect();
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// The ranges as the client wrote them.
    pub fn as_written(&self) -> &[SequenceRange] {
        &self.0
    }

    /// Whether `*` occurs.
    pub fn contains_largest(&self) -> bool {
        self.0.iter().any(|range| [range.first, range.last].contains(&SequenceNumber::Largest))
    }

    /// The largest plain number in the set, 0 if it is only `*`: a message number above the mailbox's count is
    /// an error, a UID is not.
    pub fn largest_number(&self) -> u32 {
        let ends = self.0.iter().flat_map(|range| [range.first, range.last]);
        ends.map(|end| end.resolve(0)).max().unwrap_or(0)
    }

    /// The numbers of the set when `*` is `largest`: ascending, merged, disjoint, not adjacent.
    ///
    /// `5:*` with `largest` 3 is `3:5`, as RFC 3501 asks. In an empty mailbox (`largest` 0) a `*` names
    /// nothing, so 0 never appears.
    pub fn ranges(&self, largest: u32) -> Vec<RangeInclusive<u32>> {
        let mut ends: Vec<(u32, u32)> = self
            .0
            .iter()
            .map(|range| (range.first.resolve(largest), range.last.resolve(largest)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .filter(|&(low, _)| low > 0)
            .collect();
        ends.sort_unstable();
        let mut merged: Vec<RangeInclusive<u32>> = Vec::with_capacity(ends.len());
        for (low, high) in ends {
            match merged.last_mut() {
                Some(last) if low <= last.end().saturating_add(1) => {
                    *last = *last.start()..=(*last.end()).max(high);
                }
                _ => merged.push(low..=high),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u32) -> SequenceNumber {
        NonZeroU32::new(n).map_or(SequenceNumber::Largest, SequenceNumber::Number)
    }

    /// 0 stands for `*`.
    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let ranges = ranges.iter().map(|&(a, b)| SequenceRange { first: number(a), last: number(b) });
        SequenceSet::new(ranges).unwrap()
    }

    #[test]
    fn ranges_are_sorted_merged_and_turned_round() {
        assert_eq!(set(&[(9, 7), (1, 1), (2, 3), (8, 12)]).ranges(100), vec![1..=3, 7..=12]);
        assert_eq!(set(&[(1, u32::MAX), (5, 5), (u32::MAX, u32::MAX)]).ranges(1), vec![1..=u32::MAX]);
    }

    #[test]
    fn star_is_the_largest_even_below_the_start() {
        assert_eq!(set(&[(5, 0)]).ranges(3), vec![3..=5]);
        assert_eq!(set(&[(0, 0)]).ranges(7), vec![7..=7]);
        assert_eq!(set(&[(2, 0)]).ranges(7), vec![2..=7]);
    }

    #[test]
    fn star_names_nothing_in_an_empty_mailbox() {
        assert!(set(&[(0, 0), (1, 0)]).ranges(0).is_empty());
        assert_eq!(set(&[(4, 4), (0, 0)]).ranges(0), vec![4..=4]);
    }

    #[test]
    fn largest_number_ignores_star() {
        assert_eq!(set(&[(4, 0), (2, 9)]).largest_number(), 9);
        assert_eq!(set(&[(0, 0)]).largest_number(), 0);
    }
}
