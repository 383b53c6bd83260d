//! The hierarchy of mailboxes, and opening one.

use async_trait::async_trait;

use super::MemoryMailstore;
use super::messages::delta;
use super::state::{Account, MailboxData};
use crate::{
    Access, Listing, Mailbox, MailboxId, MailboxName, MailboxStatus, Mailboxes, MailstoreError, OpenMode,
    OpenRequest, Opened, ResyncRequest, SpecialUse, SyncDelta, Uid, UidSet,
};

#[async_trait]
impl Mailboxes for MemoryMailstore {
    async fn list(&self, access: &Access) -> Result<Listing, MailstoreError> {
        self.with_account(access, |account| {
            let mailboxes = account.names.iter().filter_map(|(name, id)| {
                let mailbox = account.mailboxes.get(id)?;
                Some(describe(name, mailbox))
            });
            Ok(Listing {
                mailboxes: mailboxes.collect(),
                subscriptions: account.subscriptions.iter().cloned().collect(),
            })
        })
    }

    async fn create(
        &self,
        access: &Access,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, MailstoreError> {
        let (unix, limit) = (self.unix(), self.shared.limits.mailboxes);
        self.with_account(access, |account| {
            let there = account.names.get(name).and_then(|id| account.mailboxes.get_mut(id));
            if there.as_ref().is_some_and(|mailbox| mailbox.selectable) {
                return Err(MailstoreError::MailboxExists);
            }
            if there.is_none() {
                room_for(account, missing_parents(account, name).len() + 1, limit)?;
            }
            account.next_modseq();
            make_parents(account, name, unix);
            // A \Noselect name comes back as a mailbox of a new generation.
            if let Some(old) = account.names.remove(name) {
                account.mailboxes.remove(&old);
            }
            let id = account.make_mailbox(name.clone(), special_use, unix);
            account.touch(None);
            let mailbox = account.mailboxes.get(&id).ok_or(MailstoreError::MailboxNotFound)?;
            Ok(describe(name, mailbox))
        })
    }

    async fn rename(
        &self,
        access: &Access,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), MailstoreError> {
        let (unix, limits) = (self.unix(), self.shared.limits);
        self.with_account(access, |account| {
            let id = *account.names.get(from).ok_or(MailstoreError::MailboxNotFound)?;
            if account.names.contains_key(to) {
                return Err(MailstoreError::MailboxExists);
            }
            if to.is_below(from) && !from.is_inbox() {
                return Err(cannot("a mailbox cannot move below itself"));
            }
            let made = missing_parents(account, to).len() + usize::from(from.is_inbox());
            room_for(account, made, limits.mailboxes)?;
            if from.is_inbox() {
                return rename_inbox(account, id, to, unix, limits.journal);
            }
            let renamed = renamed_tree(account, from, to)?;
            account.next_modseq();
            make_parents(account, to, unix);
            for (old, new) in renamed {
                if let Some(id) = account.names.remove(&old) {
                    account.names.insert(new, id);
                }
            }
            account.touch(None);
            Ok(())
        })
    }

    async fn delete(&self, access: &Access, name: &MailboxName) -> Result<(), MailstoreError> {
        let journal = self.shared.limits.journal;
        self.with_account(access, |account| {
            if name.is_inbox() {
                return Err(cannot("INBOX cannot be deleted"));
            }
            let id = *account.names.get(name).ok_or(MailstoreError::MailboxNotFound)?;
            let selectable = account.mailboxes.get(&id).is_some_and(|mailbox| mailbox.selectable);
            let has_children = account.names.keys().any(|other| other.is_below(name));
            if has_children && !selectable {
                return Err(cannot("mailbox has children"));
            }
            account.next_modseq();
            if selectable {
                account.remove(id, &UidSet::all(), journal)?;
            }
            match account.mailboxes.get_mut(&id) {
                Some(mailbox) if has_children => {
                    mailbox.selectable = false;
                    mailbox.special_use = None;
                }
                _ => {
                    account.names.remove(name);
                    account.mailboxes.remove(&id);
                }
            }
            account.touch(Some(id));
            Ok(())
        })
    }

    async fn subscribe(
        &self,
        access: &Access,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), MailstoreError> {
        let limit = self.shared.limits.mailboxes;
        self.with_account(access, |account| {
            if !subscribed {
                account.subscriptions.remove(name);
            } else if account.subscriptions.len() >= limit && !account.subscriptions.contains(name) {
                return Err(MailstoreError::Limit { message: format!("at most {limit} subscriptions") });
            } else {
                account.subscriptions.insert(name.clone());
            }
            Ok(())
        })
    }

    async fn status(&self, access: &Access, name: &MailboxName) -> Result<MailboxStatus, MailstoreError> {
        self.with_account(access, |account| Ok(account.named(name)?.status()))
    }

    async fn open(&self, access: &Access, request: &OpenRequest) -> Result<Opened, MailstoreError> {
        self.with_account(access, |account| {
            let mailbox = account.named(&request.name)?;
            let status = mailbox.status();
            let recent = mailbox.recent(request.mode == OpenMode::ReadWrite);
            let keywords = mailbox.messages.values().flat_map(|message| message.flags.keywords());
            let mut keywords: Vec<_> = keywords.cloned().collect();
            keywords.sort();
            keywords.dedup();
            Ok(Opened {
                status,
                uids: mailbox.uids(),
                recent,
                first_unseen: mailbox
                    .messages
                    .iter()
                    .find(|(_, message)| !message.seen())
                    .map(|(uid, _)| *uid),
                keywords,
                resync: request.resync.as_ref().and_then(|known| resync(mailbox, known)),
            })
        })
    }
}

fn describe(name: &MailboxName, mailbox: &MailboxData) -> Mailbox {
    Mailbox {
        id: mailbox.id,
        name: name.clone(),
        selectable: mailbox.selectable,
        special_use: mailbox.special_use,
    }
}

fn cannot(message: &str) -> MailstoreError {
    MailstoreError::Cannot { message: message.to_owned() }
}

fn room_for(account: &Account, made: usize, limit: usize) -> Result<(), MailstoreError> {
    if account.names.len() + made > limit {
        return Err(MailstoreError::Limit { message: format!("at most {limit} mailboxes") });
    }
    Ok(())
}

fn missing_parents(account: &Account, name: &MailboxName) -> Vec<MailboxName> {
    std::iter::successors(name.parent(), MailboxName::parent)
        .filter(|parent| !account.names.contains_key(parent))
        .collect()
}

fn make_parents(account: &mut Account, name: &MailboxName, unix: u32) {
    for parent in missing_parents(account, name).into_iter().rev() {
        account.make_mailbox(parent, None, unix);
    }
}

/// Old and new names of a mailbox and its children.
fn renamed_tree(
    account: &Account,
    from: &MailboxName,
    to: &MailboxName,
) -> Result<Vec<(MailboxName, MailboxName)>, MailstoreError> {
    let tree = account.names.keys().filter(|name| *name == from || name.is_below(from));
    tree.map(|name| {
        let below = &name.as_str()[from.as_str().len()..];
        let new = MailboxName::try_from(format!("{to}{below}"))
            .map_err(|_| cannot("a child's name would be too long"))?;
        Ok((name.clone(), new))
    })
    .collect()
}

/// RENAME INBOX moves its messages; INBOX and its children stay (RFC 3501 6.3.5).
fn rename_inbox(
    account: &mut Account,
    inbox: MailboxId,
    to: &MailboxName,
    unix: u32,
    journal: usize,
) -> Result<(), MailstoreError> {
    account.next_modseq();
    make_parents(account, to, unix);
    let target = account.make_mailbox(to.clone(), None, unix);
    for message in account.remove(inbox, &UidSet::all(), journal)? {
        account.add(target, message)?;
    }
    account.touch(Some(inbox));
    account.touch(Some(target));
    Ok(())
}

fn resync(mailbox: &MailboxData, known: &ResyncRequest) -> Option<SyncDelta> {
    (known.uid_validity == mailbox.uid_validity).then(|| {
        let below_next =
            Uid::new(mailbox.uid_next - 1).map(|last| Uid::MIN..=last).into_iter().collect::<UidSet>();
        let uids = known.known_uids.clone().unwrap_or(below_next);
        delta(mailbox, known.modseq, &uids)
    })
}
