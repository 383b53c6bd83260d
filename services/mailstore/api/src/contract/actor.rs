//! The suite's way of acting as an account: short calls that expect success.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};
use uuid::Uuid;

use super::Fixture;
use crate::{
    Access, AppendRequest, Appended, BodyRange, Copied, CopyRequest, DeliverRequest, Delivered,
    DeliveryTarget, ExpungeRequest, Expunged, FetchItems, FetchRequest, FetchedMessage, Flags,
    FlagsOperation, IdempotencyKey, Keyword, MailboxId, MailboxName, Mailstore, MailstoreError, ModSeq,
    OpenMode, OpenRequest, Opened, StoreOutcome, StoreRequest, SyncDelta, SyncRequest, SystemFlag,
    TransactionId, Uid, UidSet,
};

/// One account on one handle of the store.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) store: Arc<dyn Mailstore>,
    pub(super) access: Access,
}

/// A session's place in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) mailbox: MailboxId,
    pub(super) since: ModSeq,
    pub(super) uid_next: Uid,
}

pub(super) const MAIL: &str = "From: alice@north.test\r\nTo: bob@south.test\r\nSubject: hello\r\n\
                               Date: Mon, 3 Jun 2024 23:30:00 +0200\r\n\r\nHello Bob,\r\nsee you.\r\n";

pub(super) fn name(name: &str) -> MailboxName {
    name.try_into().expect("a mailbox name")
}

pub(super) fn uid(uid: u32) -> Uid {
    Uid::new(uid).expect("a UID")
}

pub(super) fn uids(uids: &[u32]) -> UidSet {
    uids.iter().map(|number| uid(*number)).collect()
}

pub(super) fn key() -> IdempotencyKey {
    IdempotencyKey(Uuid::new_v4())
}

pub(super) fn transaction() -> TransactionId {
    TransactionId(Uuid::now_v7())
}

pub(super) fn keyword(keyword: &str) -> Keyword {
    Keyword::try_from(keyword.to_owned()).expect("a keyword")
}

pub(super) fn flags(system: &[SystemFlag], keywords: &[&str]) -> Flags {
    let system: Flags = system.iter().copied().collect();
    Flags::from_parts(system.bits(), keywords.iter().map(|name| keyword(name)).collect())
}

pub(super) fn body(text: &str) -> Spooled {
    Spooled::from(Bytes::copy_from_slice(text.as_bytes()))
}

/// A mailbox's opening as a cursor.
pub(super) fn cursor(opened: &Opened) -> Cursor {
    let status = &opened.status;
    Cursor { mailbox: status.mailbox, since: status.highest_modseq, uid_next: status.uid_next }
}

/// One delivery of `text` to accounts without limits.
pub(super) fn delivery(transaction: TransactionId, accounts: &[AccountId], text: &str) -> DeliverRequest {
    let target = |account: &AccountId| DeliveryTarget {
        account: *account,
        epoch: ShardEpoch(1),
        quota: Quota::UNLIMITED,
    };
    DeliverRequest { transaction, targets: accounts.iter().map(target).collect(), body: body(text) }
}

impl Fixture {
    /// A new account without limits.
    pub(super) fn actor(&self) -> Actor {
        self.limited(Quota::UNLIMITED)
    }

    /// A new account with a quota.
    pub(super) fn limited(&self, quota: Quota) -> Actor {
        let access = (self.access)(new_account(), ShardEpoch(1), quota);
        Actor { store: Arc::clone(&self.mailstore), access }
    }

    /// The same account on the other handle.
    pub(super) fn elsewhere(&self, actor: &Actor) -> Actor {
        Actor { store: Arc::clone(&self.other), access: actor.access.clone() }
    }
}

/// An account id that no other case uses, should cases share a store.
pub(super) fn new_account() -> AccountId {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    AccountId((low >> 2).cast_signed())
}

impl Actor {
    pub(super) fn id(&self) -> AccountId {
        self.access.account
    }

    pub(super) async fn deliver(&self, text: &str) -> Appended {
        let delivered = self.deliver_as(transaction(), text).await;
        delivered.stored[&self.id()].expect("stored for the first time")
    }

    pub(super) async fn deliver_as(&self, transaction: TransactionId, text: &str) -> Delivered {
        self.store.deliver(delivery(transaction, &[self.id()], text)).await.expect("deliver")
    }

    pub(super) async fn append(&self, mailbox: &str, text: &str, flags: Flags) -> Uid {
        self.try_append(mailbox, text, flags).await.expect("append").uid
    }

    pub(super) async fn try_append(
        &self,
        mailbox: &str,
        text: &str,
        flags: Flags,
    ) -> Result<Appended, MailstoreError> {
        let mailbox = name(mailbox);
        let request = AppendRequest { key: key(), mailbox, flags, received_at: None, body: body(text) };
        self.store.append(&self.access, request).await
    }

    pub(super) async fn create(&self, mailbox: &str) -> MailboxId {
        self.store.create(&self.access, &name(mailbox), None).await.expect("create").id
    }

    pub(super) async fn names(&self) -> Vec<String> {
        let listing = self.store.list(&self.access).await.expect("list");
        listing.mailboxes.into_iter().map(|mailbox| mailbox.name.into()).collect()
    }

    pub(super) async fn open(&self, mailbox: &str, mode: OpenMode) -> Opened {
        let request = OpenRequest { name: name(mailbox), mode, resync: None };
        self.store.open(&self.access, &request).await.expect("open")
    }

    pub(super) async fn examine(&self, mailbox: &str) -> Opened {
        self.open(mailbox, OpenMode::ReadOnly).await
    }

    pub(super) async fn select(&self, mailbox: &str) -> Opened {
        self.open(mailbox, OpenMode::ReadWrite).await
    }

    pub(super) async fn mailbox(&self, mailbox: &str) -> MailboxId {
        self.store.status(&self.access, &name(mailbox)).await.expect("status").mailbox
    }

    /// Syncs from a cursor and moves it.
    pub(super) async fn sync(&self, cursor: &mut Cursor, claim_recent: bool) -> SyncDelta {
        let Cursor { mailbox, since, uid_next } = *cursor;
        let request = SyncRequest { mailbox, since, uid_next, claim_recent };
        let delta = self.store.sync(&self.access, &request).await.expect("sync");
        (cursor.since, cursor.uid_next) = (delta.highest_modseq, delta.uid_next);
        delta
    }

    pub(super) async fn flag(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        operation: FlagsOperation,
        flags: &Flags,
    ) -> StoreOutcome {
        let request = StoreRequest {
            key: key(),
            mailbox,
            uids: uids.clone(),
            operation,
            flags: flags.clone(),
            unchanged_since: None,
        };
        self.store.store(&self.access, &request).await.expect("store")
    }

    /// Marks messages `\Deleted` and expunges the mailbox.
    pub(super) async fn remove(&self, mailbox: MailboxId, uids: &UidSet) -> Expunged {
        self.flag(mailbox, uids, FlagsOperation::Add, &flags(&[SystemFlag::Deleted], &[])).await;
        self.expunge(mailbox, Some(uids.clone())).await
    }

    pub(super) async fn expunge(&self, mailbox: MailboxId, uids: Option<UidSet>) -> Expunged {
        let request = ExpungeRequest { key: key(), mailbox, uids };
        self.store.expunge(&self.access, &request).await.expect("expunge")
    }

    pub(super) async fn copy(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: &str,
    ) -> Result<Copied, MailstoreError> {
        let request = CopyRequest { key: key(), mailbox: from, uids: uids.clone(), target: name(to) };
        self.store.copy(&self.access, &request).await
    }

    pub(super) async fn relocate(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: &str,
    ) -> Result<Copied, MailstoreError> {
        let request = CopyRequest { key: key(), mailbox: from, uids: uids.clone(), target: name(to) };
        self.store.relocate(&self.access, &request).await
    }

    /// Everything of a mailbox, with skeletons and headers.
    pub(super) async fn fetch_all(&self, mailbox: MailboxId) -> Vec<FetchedMessage> {
        let items = FetchItems { skeleton: true, header: true };
        self.fetch(FetchRequest { mailbox, uids: UidSet::all(), items, changed_since: None }).await
    }

    pub(super) async fn fetch(&self, request: FetchRequest) -> Vec<FetchedMessage> {
        let stream = self.store.fetch(&self.access, &request).await.expect("fetch");
        stream.try_collect().await.expect("fetched messages")
    }

    pub(super) async fn read(&self, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
        let ranges = [BodyRange::whole(uid)];
        let chunks = self.store.read(&self.access, mailbox, &ranges).await.expect("read");
        let chunks: Vec<_> = chunks.try_collect().await.expect("chunks");
        assert!(chunks.iter().all(|chunk| !chunk.missing), "message {uid} is missing");
        chunks.iter().flat_map(|chunk| chunk.data.to_vec()).collect()
    }

    /// Octets and messages in use.
    pub(super) async fn used(&self) -> (u64, u64) {
        let usage = self.store.quota_usage(&self.access).await.expect("quota usage");
        (usage.bytes, usage.messages)
    }
}
