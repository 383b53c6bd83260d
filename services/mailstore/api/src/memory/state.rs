//! What the fake remembers: accounts, their mailboxes, messages and journals.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};

use crate::{
    Appended, Copied, Expunged, FlagRun, Flags, IdempotencyKey, Keyword, MailboxId, MailboxName,
    MailboxStatus, MaildropLease, MailstoreError, ModSeq, SpecialUse, StoreOutcome, TransactionId, Uid,
    UidSet, UidValidity,
};

#[derive(Default)]
pub(super) struct State {
    pub(super) accounts: HashMap<AccountId, Account>,
    /// Being purged, or purged: refused for ever.
    pub(super) purged: HashSet<AccountId>,
    mailboxes_made: i64,
}

pub(super) struct Account {
    epoch: ShardEpoch,
    pub(super) modseq: ModSeq,
    last_uid_validity: u32,
    pub(super) bytes: u64,
    pub(super) messages: u64,
    pub(super) names: BTreeMap<MailboxName, MailboxId>,
    pub(super) mailboxes: BTreeMap<MailboxId, MailboxData>,
    pub(super) subscriptions: BTreeSet<MailboxName>,
    pub(super) keywords: BTreeSet<Keyword>,
    pub(super) answers: HashMap<IdempotencyKey, Answer>,
    pub(super) deliveries: HashSet<TransactionId>,
    pub(super) lease: Option<(MaildropLease, Instant)>,
    touched: Vec<Option<MailboxId>>,
    next_mailbox: i64,
}

/// What an idempotent write answered, for its repetition.
#[derive(Clone)]
pub(super) enum Answer {
    Appended(Appended),
    Stored(StoreOutcome),
    Copied(Copied),
    Expunged(Expunged),
    MaildropCommitted,
}

pub(super) struct MailboxData {
    pub(super) id: MailboxId,
    pub(super) uid_validity: UidValidity,
    pub(super) uid_next: u32,
    pub(super) highest_modseq: ModSeq,
    pub(super) selectable: bool,
    pub(super) special_use: Option<SpecialUse>,
    pub(super) messages: BTreeMap<Uid, Message>,
    /// Expunged messages in MODSEQ order.
    pub(super) journal: Vec<(ModSeq, Uid)>,
    /// Cursors below this are not covered by the journal.
    pub(super) floor: ModSeq,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) modseq: ModSeq,
    pub(super) flags: Flags,
    pub(super) received_at: DateTime<Utc>,
    /// Not yet claimed as `\Recent` by any session.
    pub(super) unclaimed: bool,
    pub(super) content: Arc<Content>,
}

/// A stored body and what ingest learnt of it.
pub(super) struct Content {
    pub(super) body: Bytes,
    pub(super) skeleton: Bytes,
    /// Empty when it is too large to be kept apart.
    pub(super) header: Bytes,
    pub(super) header_len: usize,
}

// === impl State ===

impl State {
    /// The account, made with its default mailboxes on first use.
    pub(super) fn enter(
        &mut self,
        id: AccountId,
        epoch: ShardEpoch,
        unix: u32,
    ) -> Result<&mut Account, MailstoreError> {
        if self.purged.contains(&id) {
            return Err(MailstoreError::StaleEpoch);
        }
        let made = &mut self.mailboxes_made;
        let account = self.accounts.entry(id).or_insert_with(|| {
            *made += 1;
            // Mailbox ids of different accounts differ, so that a mix-up of accounts shows in tests.
            Account::new(epoch, unix, *made * 1_000_000)
        });
        if epoch < account.epoch {
            return Err(MailstoreError::StaleEpoch);
        }
        account.epoch = epoch;
        Ok(account)
    }
}

// === impl Account ===

impl Account {
    fn new(epoch: ShardEpoch, unix: u32, first_mailbox: i64) -> Self {
        let mut account = Self {
            epoch,
            modseq: ModSeq(1),
            last_uid_validity: 0,
            bytes: 0,
            messages: 0,
            names: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            keywords: BTreeSet::new(),
            answers: HashMap::new(),
            deliveries: HashSet::new(),
            lease: None,
            touched: Vec::new(),
            next_mailbox: first_mailbox,
        };
        for (name, special_use) in [
            ("INBOX", None),
            ("Drafts", Some(SpecialUse::Drafts)),
            ("Sent", Some(SpecialUse::Sent)),
            ("Junk", Some(SpecialUse::Junk)),
            ("Trash", Some(SpecialUse::Trash)),
            ("Archive", Some(SpecialUse::Archive)),
        ] {
            if let Ok(name) = MailboxName::try_from(name) {
                account.subscriptions.insert(name.clone());
                account.make_mailbox(name, special_use, unix);
            }
        }
        account.touched.clear();
        account
    }

    /// The next MODSEQ of the account.
    pub(super) const fn next_modseq(&mut self) -> ModSeq {
        self.modseq = ModSeq(self.modseq.0 + 1);
        self.modseq
    }

    /// max(unix time, last + 1): grows strictly over all mailboxes that ever were.
    pub(super) fn next_uid_validity(&mut self, unix: u32) -> UidValidity {
        self.last_uid_validity = unix.max(self.last_uid_validity.saturating_add(1)).max(1);
        UidValidity(self.last_uid_validity)
    }

    pub(super) fn make_mailbox(
        &mut self,
        name: MailboxName,
        special_use: Option<SpecialUse>,
        unix: u32,
    ) -> MailboxId {
        self.next_mailbox += 1;
        let id = MailboxId(self.next_mailbox);
        let mailbox = MailboxData {
            id,
            uid_validity: self.next_uid_validity(unix),
            uid_next: 1,
            highest_modseq: self.modseq,
            selectable: true,
            special_use,
            messages: BTreeMap::new(),
            journal: Vec::new(),
            floor: ModSeq(0),
        };
        self.mailboxes.insert(id, mailbox);
        self.names.insert(name, id);
        id
    }

    /// Notes a change for the watchers.
    pub(super) fn touch(&mut self, mailbox: Option<MailboxId>) {
        self.touched.push(mailbox);
    }

    pub(super) fn take_touched(&mut self) -> Vec<Option<MailboxId>> {
        std::mem::take(&mut self.touched)
    }

    /// A mailbox that can be selected, by name.
    pub(super) fn named(&mut self, name: &MailboxName) -> Result<&mut MailboxData, MailstoreError> {
        let id = *self.names.get(name).ok_or(MailstoreError::MailboxNotFound)?;
        let mailbox = self.mailboxes.get_mut(&id).ok_or(MailstoreError::MailboxNotFound)?;
        if !mailbox.selectable {
            return Err(MailstoreError::Cannot { message: "mailbox cannot be selected".to_owned() });
        }
        Ok(mailbox)
    }

    /// A mailbox that a session has selected, by id.
    pub(super) fn selected(&mut self, id: MailboxId) -> Result<&mut MailboxData, MailstoreError> {
        self.mailboxes
            .get_mut(&id)
            .filter(|mailbox| mailbox.selectable)
            .ok_or(MailstoreError::MailboxNotFound)
    }

    /// Whether `bytes` in `messages` more fit into the quota.
    pub(super) fn has_room(&self, quota: &Quota, bytes: u64, messages: u64) -> bool {
        quota.allows(self.bytes.saturating_add(bytes), self.messages.saturating_add(messages))
    }

    /// Puts a message into a mailbox under the account's current MODSEQ. The caller checked the quota.
    pub(super) fn add(&mut self, id: MailboxId, mut message: Message) -> Result<Uid, MailstoreError> {
        let modseq = self.modseq;
        let size = message.size();
        let mailbox = self.selected(id)?;
        let uid = Uid::new(mailbox.uid_next)
            .filter(|uid| *uid < Uid::MAX)
            .ok_or_else(|| MailstoreError::Limit { message: "mailbox has no UIDs left".to_owned() })?;
        mailbox.uid_next += 1;
        mailbox.highest_modseq = modseq;
        message.modseq = modseq;
        message.unclaimed = true;
        mailbox.messages.insert(uid, message);
        self.bytes += size;
        self.messages += 1;
        Ok(uid)
    }

    /// Removes messages under the account's current MODSEQ and notes them in the journal.
    pub(super) fn remove(
        &mut self,
        id: MailboxId,
        uids: &UidSet,
        journal: usize,
    ) -> Result<Vec<Message>, MailstoreError> {
        let modseq = self.modseq;
        let mailbox = self.selected(id)?;
        let mut removed = Vec::new();
        for uid in mailbox.existing(uids) {
            if let Some(message) = mailbox.messages.remove(&uid) {
                mailbox.journal.push((modseq, uid));
                removed.push(message);
            }
        }
        if !removed.is_empty() {
            mailbox.highest_modseq = modseq;
            mailbox.trim_journal(journal);
        }
        self.messages -= removed.len() as u64;
        self.bytes -= removed.iter().map(Message::size).sum::<u64>();
        Ok(removed)
    }

    /// The flags with each keyword as this account wrote it first.
    pub(super) fn settle_keywords(&mut self, flags: &Flags, limit: usize) -> Result<Flags, MailstoreError> {
        let new = flags.keywords().iter().filter(|keyword| !self.keywords.contains(keyword)).count();
        if self.keywords.len() + new > limit {
            return Err(MailstoreError::Limit { message: format!("at most {limit} keywords") });
        }
        self.keywords.extend(
            flags
                .keywords()
                .iter()
                .filter(|keyword| !self.keywords.contains(keyword))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let settled =
            flags.keywords().iter().filter_map(|keyword| self.keywords.get(keyword).cloned()).collect();
        Ok(Flags::from_parts(flags.bits(), settled))
    }
}

// === impl MailboxData ===

impl MailboxData {
    /// The UIDs of `uids` that exist, ascending.
    pub(super) fn existing(&self, uids: &UidSet) -> Vec<Uid> {
        uids.runs().flat_map(|run| self.messages.range(run).map(|(uid, _)| *uid)).collect()
    }

    pub(super) fn uids(&self) -> UidSet {
        self.messages.keys().copied().collect()
    }

    pub(super) fn uid_next(&self) -> Uid {
        Uid::new(self.uid_next).unwrap_or(Uid::MAX)
    }

    pub(super) fn status(&self) -> MailboxStatus {
        let count = |what: &dyn Fn(&Message) -> bool| {
            u32::try_from(self.messages.values().filter(|message| what(message)).count()).unwrap_or(u32::MAX)
        };
        MailboxStatus {
            mailbox: self.id,
            uid_validity: self.uid_validity,
            uid_next: self.uid_next(),
            highest_modseq: self.highest_modseq,
            messages: count(&|_| true),
            unseen: count(&|message| !message.seen()),
            recent: count(&|message| message.unclaimed),
            bytes: self.messages.values().map(Message::size).sum(),
        }
    }

    /// The messages that no read-write session saw yet; `claim` makes them the caller's.
    pub(super) fn recent(&mut self, claim: bool) -> UidSet {
        let recent =
            self.messages.iter().filter(|(_, message)| message.unclaimed).map(|(uid, _)| *uid).collect();
        if claim {
            for message in self.messages.values_mut() {
                message.unclaimed = false;
            }
        }
        recent
    }

    /// Drops the oldest expunges beyond `limit` and raises the floor over them.
    pub(super) fn trim_journal(&mut self, limit: usize) {
        let excess = self.journal.len().saturating_sub(limit);
        if let Some((modseq, _)) = self.journal.drain(..excess).next_back() {
            self.floor = modseq;
        }
    }

    /// The flags of the messages that `wanted` picks, grouped.
    pub(super) fn flag_runs(&self, wanted: impl Fn(Uid, &Message) -> bool) -> Vec<FlagRun> {
        let mut runs: Vec<FlagRun> = Vec::new();
        let mut by_flags: HashMap<(ModSeq, &Flags), usize> = HashMap::new();
        for (uid, message) in self.messages.iter().filter(|(uid, message)| wanted(**uid, message)) {
            let at = *by_flags.entry((message.modseq, &message.flags)).or_insert_with(|| {
                runs.push(FlagRun {
                    uids: UidSet::new(),
                    modseq: message.modseq,
                    flags: message.flags.clone(),
                });
                runs.len() - 1
            });
            runs[at].uids.insert(*uid);
        }
        runs
    }
}

// === impl Message ===

impl Message {
    pub(super) fn size(&self) -> u64 {
        self.content.body.len() as u64
    }

    /// The whole header block, however large.
    pub(super) fn header(&self) -> &[u8] {
        &self.content.body[..self.content.header_len]
    }

    pub(super) const fn seen(&self) -> bool {
        self.flags.contains(crate::SystemFlag::Seen)
    }
}
