//! What one session's client knows of its selected mailbox (pure).
//!
//! A client names messages by sequence numbers, and those change only when the client is told. So a session keeps its own list of
//! UIDs, apart from the store's: it grows when EXISTS is sent and shrinks when EXPUNGE (or VANISHED) is sent, never otherwise.
//! What vanished in the store while it must not be told yet (RFC 3501 7.4.1: during FETCH, STORE and SEARCH, and outside a
//! command) waits in `vanished`.

mod numbers;

use std::ops::RangeInclusive;

use staffetta_mailstore_api::{
    FlagRun, MailboxId, MailboxName, ModSeq, OpenMode, Opened, SyncDelta, SyncRequest, Uid, UidSet,
    UidValidity,
};

pub use self::numbers::Numbers;
use crate::wire::sequence::SequenceSet;

/// The client's picture of the selected mailbox.
#[derive(Debug)]
pub struct View {
    mailbox: MailboxId,
    name: MailboxName,
    mode: OpenMode,
    uid_validity: UidValidity,
    uid_next: Uid,
    cursor: ModSeq,
    numbers: Numbers,
    recent: UidSet,
    /// Gone from the store, not yet from the client's numbering.
    vanished: UidSet,
    /// Flags beyond the cursor that the client knows already: those that its own STORE set. By message and not by MODSEQ alone,
    /// because other messages may share one.
    told: Vec<(ModSeq, UidSet)>,
}

/// What to tell the client, in the order to tell it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// Removed messages with the sequence number each had at the moment of its EXPUNGE response.
    pub expunged: Vec<(u32, Uid)>,
    /// The new number of messages, when it grew.
    pub exists: Option<u32>,
    /// The number of `\Recent` messages, together with `exists`.
    pub recent: u32,
    /// Messages with new flags.
    pub flags: Vec<FlagRun>,
}

impl Updates {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.exists.is_none() && self.flags.is_empty()
    }
}

/// A sequence number that names no message (a BAD of the client, RFC 3501 9 `seq-number`).
#[derive(Debug, PartialEq, Eq)]
pub struct NoSuchMessage;

impl View {
    /// The picture right after SELECT or EXAMINE.
    pub fn new(name: MailboxName, mode: OpenMode, opened: &Opened) -> Self {
        Self {
            mailbox: opened.status.mailbox,
            name,
            mode,
            uid_validity: opened.status.uid_validity,
            uid_next: opened.status.uid_next,
            cursor: opened.status.highest_modseq,
            numbers: Numbers::new(&opened.uids),
            recent: opened.recent.clone(),
            vanished: UidSet::new(),
            told: Vec::new(),
        }
    }

    /// The selected mailbox.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Its name when it was selected.
    pub fn name(&self) -> &MailboxName {
        &self.name
    }

    /// Whether it was opened by EXAMINE.
    pub fn is_read_only(&self) -> bool {
        self.mode == OpenMode::ReadOnly
    }

    /// Its generation.
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// Everything up to this MODSEQ is known.
    pub fn cursor(&self) -> ModSeq {
        self.cursor
    }

    /// The number of messages as the client counts.
    pub fn exists(&self) -> u32 {
        self.numbers.len()
    }

    /// The sequence number of a message.
    pub fn number(&self, uid: Uid) -> Option<u32> {
        self.numbers.number(uid)
    }

    /// Whether this session is the one that saw the message first.
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent.contains(uid)
    }

    /// The `\Recent` messages of this session.
    pub fn recent(&self) -> &UidSet {
        &self.recent
    }

    /// Every message the client counts.
    pub fn uids(&self) -> UidSet {
        self.numbers.uids()
    }

    /// Messages the client still counts although the store lost them.
    pub fn vanished(&self) -> &UidSet {
        &self.vanished
    }

    /// The messages a set names. UIDs that do not exist are left out; a sequence number that does not exist is an error.
    pub fn resolve(&self, set: &SequenceSet, by_uid: bool) -> Result<UidSet, NoSuchMessage> {
        let count = self.exists();
        if by_uid {
            let largest = self.numbers.last().map_or(0, Uid::get);
            return Ok(uid_ranges(&set.ranges(largest)).intersection(&self.numbers.uids()));
        }
        if set.largest_number() > count || count == 0 {
            return Err(NoSuchMessage);
        }
        Ok(set.ranges(count).into_iter().flat_map(|range| self.numbers.uid_runs(range)).collect())
    }

    /// What to ask the store for.
    pub fn sync_request(&self) -> SyncRequest {
        SyncRequest {
            mailbox: self.mailbox,
            since: self.cursor,
            uid_next: self.uid_next,
            claim_recent: self.mode == OpenMode::ReadWrite,
        }
    }

    /// Takes in what changed in the store. New messages and flags are told now; expunges wait for [`View::tell_expunged`].
    pub fn apply(&mut self, delta: &SyncDelta) -> Updates {
        let before = self.numbers.uids();
        let appeared = delta.appeared.difference(&before);
        let gone = if delta.full {
            before.difference(&delta.appeared)
        } else {
            before.intersection(&delta.vanished)
        };
        self.vanished = self.vanished.union(&gone);
        self.numbers.extend(&appeared);
        self.recent = self.recent.union(&delta.recent);
        self.uid_next = self.uid_next.max(delta.uid_next);
        self.cursor = self.cursor.max(delta.highest_modseq);
        let flags = delta.changed.iter().filter_map(|run| {
            let uids = self.untold(run).intersection(&before).difference(&self.vanished);
            (!uids.is_empty()).then(|| FlagRun { uids, ..run.clone() })
        });
        let flags = flags.collect();
        let cursor = self.cursor;
        self.told.retain(|(modseq, _)| *modseq > cursor);
        Updates {
            expunged: Vec::new(),
            exists: (!appeared.is_empty()).then(|| self.exists()),
            recent: u32::try_from(self.recent.len()).unwrap_or(u32::MAX),
            flags,
        }
    }

    /// Takes what vanished out of the numbering; only where an EXPUNGE response may be sent.
    pub fn tell_expunged(&mut self) -> Vec<(u32, Uid)> {
        let vanished = std::mem::take(&mut self.vanished);
        let expunged = self.numbers.remove(&vanished);
        self.recent = self.recent.difference(&vanished);
        expunged
    }

    /// Notes that this session itself removed messages (EXPUNGE, MOVE).
    pub fn note_vanished(&mut self, uids: &UidSet) {
        self.vanished = self.vanished.union(&uids.intersection(&self.numbers.uids()));
    }

    /// Whether nothing else in the account can have changed between the cursor and this MODSEQ.
    pub fn is_next(&self, modseq: ModSeq) -> bool {
        modseq.0 == self.cursor.0 + 1
    }

    /// Moves the cursor over this session's own removal.
    pub fn advance(&mut self, modseq: ModSeq) {
        self.cursor = self.cursor.max(modseq);
    }

    /// Notes flags of which the client was told by the command that set or read them.
    pub fn note_told(&mut self, runs: &[FlagRun]) {
        let newer = runs.iter().filter(|run| run.modseq > self.cursor);
        self.told.extend(newer.map(|run| (run.modseq, run.uids.clone())));
    }

    /// The messages of a run of which the client was not told yet.
    fn untold(&self, run: &FlagRun) -> UidSet {
        let same = self.told.iter().filter(|(modseq, _)| *modseq == run.modseq);
        same.fold(run.uids.clone(), |uids, (_, told)| uids.difference(told))
    }
}

/// The UIDs of ranges of numbers; zero is none.
pub fn uid_ranges(ranges: &[RangeInclusive<u32>]) -> UidSet {
    let ends = ranges.iter().filter_map(|range| Some((Uid::new(*range.start())?, Uid::new(*range.end())?)));
    ends.map(|(first, last)| first..=last).collect()
}

#[cfg(test)]
mod tests;
