//! Changes, metadata, flags, copies and removal.

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::MemoryMailstore;
use super::state::{Account, Answer, MailboxData, Message};
use crate::{
    Access, Copied, CopyRequest, ExpungeRequest, Expunged, FetchRequest, FetchedMessage, Flags,
    FlagsOperation, IdempotencyKey, MailstoreError, Messages, ModSeq, StoreOutcome, StoreRequest, SyncDelta,
    SyncRequest, SystemFlag, Uid, UidSet,
};

#[async_trait]
impl Messages for MemoryMailstore {
    async fn sync(&self, access: &Access, request: &SyncRequest) -> Result<SyncDelta, MailstoreError> {
        self.with_account(access, |account| {
            let mailbox = account.selected(request.mailbox)?;
            let known =
                Uid::new(request.uid_next.get() - 1).map(|last| Uid::MIN..=last).into_iter().collect();
            let mut delta = delta(mailbox, request.since, &known);
            if request.claim_recent {
                delta.recent = mailbox.recent(true);
            }
            Ok(delta)
        })
    }

    async fn fetch(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError> {
        let since = request.changed_since.unwrap_or_default();
        let messages = self.with_account(access, |account| {
            let mailbox = account.selected(request.mailbox)?;
            let messages = mailbox.existing(&request.uids).into_iter().filter_map(|uid| {
                let message = mailbox.messages.get(&uid).filter(|message| message.modseq > since)?;
                Some(fetched(uid, message, request))
            });
            Ok(messages.collect::<Vec<_>>())
        })?;
        Ok(stream::iter(messages).map(Ok).boxed())
    }

    async fn store(&self, access: &Access, request: &StoreRequest) -> Result<StoreOutcome, MailstoreError> {
        let limit = self.shared.limits.keywords;
        self.with_account(access, |account| match account.answers.get(&request.key) {
            Some(Answer::Stored(outcome)) => Ok(outcome.clone()),
            Some(_) => Err(reused_key()),
            None => {
                let outcome = store(account, request, limit)?;
                account.answers.insert(request.key, Answer::Stored(outcome.clone()));
                Ok(outcome)
            }
        })
    }

    async fn copy(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        self.with_account(access, |account| {
            repeatable_copy(account, request.key, |account| {
                let (source, messages) = picked(account, request)?;
                let target = account.named(&request.target)?;
                let (target, uid_validity) = (target.id, target.uid_validity);
                let bytes = messages.iter().map(Message::size).sum();
                if !messages.is_empty() && !account.has_room(&access.quota, bytes, messages.len() as u64) {
                    return Err(MailstoreError::OverQuota);
                }
                let mut copied =
                    Copied { uid_validity, source, target: UidSet::new(), source_modseq: ModSeq(0) };
                if !messages.is_empty() {
                    account.next_modseq();
                    account.touch(Some(target));
                }
                for message in messages {
                    copied.target.insert(account.add(target, message)?);
                }
                copied.source_modseq = account.selected(request.mailbox)?.highest_modseq;
                Ok(copied)
            })
        })
    }

    async fn relocate(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        let journal = self.shared.limits.journal;
        self.with_account(access, |account| {
            repeatable_copy(account, request.key, |account| {
                let (source, messages) = picked(account, request)?;
                let target = account.named(&request.target)?;
                let (target, uid_validity) = (target.id, target.uid_validity);
                let mut copied =
                    Copied { uid_validity, source, target: UidSet::new(), source_modseq: ModSeq(0) };
                if !messages.is_empty() {
                    account.next_modseq();
                    account.touch(Some(request.mailbox));
                    account.touch(Some(target));
                }
                account.remove(request.mailbox, &copied.source, journal)?;
                for message in messages {
                    copied.target.insert(account.add(target, message)?);
                }
                copied.source_modseq = account.selected(request.mailbox)?.highest_modseq;
                Ok(copied)
            })
        })
    }

    async fn expunge(&self, access: &Access, request: &ExpungeRequest) -> Result<Expunged, MailstoreError> {
        let journal = self.shared.limits.journal;
        self.with_account(access, |account| match account.answers.get(&request.key) {
            Some(Answer::Expunged(expunged)) => Ok(expunged.clone()),
            Some(_) => Err(reused_key()),
            None => {
                let expunged = expunge(account, request, journal)?;
                account.answers.insert(request.key, Answer::Expunged(expunged.clone()));
                Ok(expunged)
            }
        })
    }
}

/// What changed in a mailbox for somebody who knows `known` as of `since`.
pub(super) fn delta(mailbox: &MailboxData, since: ModSeq, known: &UidSet) -> SyncDelta {
    let uids = mailbox.uids();
    let full = since < mailbox.floor;
    let journal = mailbox.journal.iter().filter(|(modseq, uid)| *modseq > since && known.contains(*uid));
    let vanished = if full { UidSet::new() } else { journal.map(|(_, uid)| *uid).collect() };
    let appeared = if full { uids } else { uids.difference(known) };
    SyncDelta {
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next(),
        highest_modseq: mailbox.highest_modseq,
        full,
        changed: mailbox.flag_runs(|_, message| message.modseq > since),
        appeared,
        vanished,
        recent: UidSet::new(),
    }
}

pub(super) fn reused_key() -> MailstoreError {
    MailstoreError::Invalid { message: "idempotency key was used for another kind of write".to_owned() }
}

fn fetched(uid: Uid, message: &Message, request: &FetchRequest) -> FetchedMessage {
    FetchedMessage {
        uid,
        modseq: message.modseq,
        flags: message.flags.clone(),
        received_at: message.received_at,
        size: message.size(),
        skeleton: request.items.skeleton.then(|| message.content.skeleton.clone()),
        header: request.items.header.then(|| message.content.header.clone()),
    }
}

fn store(
    account: &mut Account,
    request: &StoreRequest,
    limit: usize,
) -> Result<StoreOutcome, MailstoreError> {
    account.selected(request.mailbox)?;
    let flags = match request.operation {
        FlagsOperation::Remove => request.flags.clone(),
        FlagsOperation::Replace | FlagsOperation::Add => account.settle_keywords(&request.flags, limit)?,
    };
    let modseq = ModSeq(account.modseq.0 + 1);
    let mailbox = account.selected(request.mailbox)?;
    let (mut stored, mut modified, mut changed) = (UidSet::new(), UidSet::new(), false);
    for uid in mailbox.existing(&request.uids) {
        let Some(message) = mailbox.messages.get_mut(&uid) else { continue };
        if request.unchanged_since.is_some_and(|since| message.modseq > since) {
            modified.insert(uid);
            continue;
        }
        stored.insert(uid);
        let flags = combined(&message.flags, request.operation, &flags);
        if flags != message.flags {
            message.flags = flags;
            message.modseq = modseq;
            changed = true;
        }
    }
    if changed {
        mailbox.highest_modseq = modseq;
    }
    let outcome = StoreOutcome {
        stored: mailbox.flag_runs(|uid, _| stored.contains(uid)),
        modified,
        highest_modseq: mailbox.highest_modseq,
    };
    if changed {
        account.next_modseq();
        account.touch(Some(request.mailbox));
    }
    Ok(outcome)
}

fn combined(now: &Flags, operation: FlagsOperation, flags: &Flags) -> Flags {
    match operation {
        FlagsOperation::Replace => flags.clone(),
        FlagsOperation::Add => now.with(flags),
        FlagsOperation::Remove => now.without(flags),
    }
}

fn repeatable_copy(
    account: &mut Account,
    key: IdempotencyKey,
    copy: impl FnOnce(&mut Account) -> Result<Copied, MailstoreError>,
) -> Result<Copied, MailstoreError> {
    match account.answers.get(&key) {
        Some(Answer::Copied(copied)) => Ok(copied.clone()),
        Some(_) => Err(reused_key()),
        None => {
            let copied = copy(account)?;
            account.answers.insert(key, Answer::Copied(copied.clone()));
            Ok(copied)
        }
    }
}

/// The messages that a COPY or MOVE names and that exist.
fn picked(account: &mut Account, request: &CopyRequest) -> Result<(UidSet, Vec<Message>), MailstoreError> {
    let mailbox = account.selected(request.mailbox)?;
    let uids = mailbox.existing(&request.uids);
    let messages = uids.iter().filter_map(|uid| mailbox.messages.get(uid).cloned()).collect();
    Ok((uids.into_iter().collect(), messages))
}

fn expunge(
    account: &mut Account,
    request: &ExpungeRequest,
    journal: usize,
) -> Result<Expunged, MailstoreError> {
    let mailbox = account.selected(request.mailbox)?;
    let asked = request.uids.clone().unwrap_or_else(UidSet::all);
    let deleted =
        |uid: &Uid| mailbox.messages.get(uid).is_some_and(|m| m.flags.contains(SystemFlag::Deleted));
    let uids: UidSet = mailbox.existing(&asked).into_iter().filter(deleted).collect();
    if !uids.is_empty() {
        account.next_modseq();
        account.touch(Some(request.mailbox));
        account.remove(request.mailbox, &uids, journal)?;
    }
    Ok(Expunged { uids, highest_modseq: account.selected(request.mailbox)?.highest_modseq })
}
