//! Sequence sets.

use super::super::sequence::{SequenceNumber, SequenceRange, SequenceSet};
use super::cursor::{Cursor, Parsed, Stop, malformed};

/// `sequence-set = (seq-number / seq-range) *("," sequence-set)`
pub(super) fn sequence_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let mut ranges = Vec::new();
    loop {
        if ranges.len() >= cursor.limits.sequence_ranges {
            return malformed("too many ranges in a sequence set");
        }
        ranges.push(seq_range(cursor)?);
        if !cursor.eat(b',') {
            return SequenceSet::new(ranges).ok_or(Stop::Malformed("expected a sequence set"));
        }
    }
}

/// `known-uids = sequence-set ;; "*" is not allowed` (RFC 7162)
pub(super) fn known_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let set = sequence_set(cursor)?;
    if set.contains_largest() { malformed("* is not allowed in a set of known messages") } else { Ok(set) }
}

/// `seq-range = seq-number ":" seq-number`, or one `seq-number`
fn seq_range(cursor: &mut Cursor<'_>) -> Parsed<SequenceRange> {
    let first = seq_number(cursor)?;
    let last = if cursor.eat(b':') { seq_number(cursor)? } else { first };
    Ok(SequenceRange { first, last })
}

/// `seq-number = nz-number / "*"`
fn seq_number(cursor: &mut Cursor<'_>) -> Parsed<SequenceNumber> {
    if cursor.eat(b'*') {
        return Ok(SequenceNumber::Largest);
    }
    cursor.nz_number("expected a sequence set").map(SequenceNumber::Number)
}
