//! New messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use staffetta_chassis::spool::Spooled;
use staffetta_message::skeleton::{Limits, SkeletonBuilder};

use super::MemoryMailstore;
use super::messages::reused_key;
use super::state::{Account, Answer, Content, Message, State};
use crate::{
    Access, AppendRequest, Appended, DeliverRequest, Delivered, Delivery, DeliveryTarget, Flags, MailboxName,
    MailstoreError, ModSeq, Refusal, RefusalReason, TransactionId,
};

#[async_trait]
impl Delivery for MemoryMailstore {
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError> {
        self.healthy()?;
        let content = Arc::new(content(&request.body).await?);
        let received_at = request.received_at.unwrap_or_else(|| self.now());
        let limits = self.shared.limits;
        self.with_account(access, |account| {
            match account.answers.get(&request.key) {
                Some(Answer::Appended(appended)) => return Ok(*appended),
                Some(_) => return Err(reused_key()),
                None => {}
            }
            let mailbox = account.named(&request.mailbox)?;
            let (mailbox, uid_validity) = (mailbox.id, mailbox.uid_validity);
            let size = content.body.len() as u64;
            if size > limits.message_size {
                let message = format!("at most {} octets", limits.message_size);
                return Err(MailstoreError::Limit { message });
            }
            if !account.has_room(&access.quota, size, 1) {
                return Err(MailstoreError::OverQuota);
            }
            let flags = account.settle_keywords(&request.flags, limits.keywords)?;
            account.next_modseq();
            let uid = account.add(mailbox, message(content, flags, received_at))?;
            account.touch(Some(mailbox));
            let appended = Appended { uid_validity, uid };
            account.answers.insert(request.key, Answer::Appended(appended));
            Ok(appended)
        })
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        self.healthy()?;
        let accounts: BTreeSet<_> = request.targets.iter().map(|target| target.account).collect();
        if accounts.is_empty() || accounts.len() != request.targets.len() {
            let message = "a delivery has at least one target and none twice".to_owned();
            return Err(MailstoreError::Invalid { message });
        }
        let content = Arc::new(content(&request.body).await?);
        let (unix, now, limit) = (self.unix(), self.now(), self.shared.limits.message_size);

        let mut state = self.state();
        let size = content.body.len() as u64;
        let refusals: Vec<_> = request
            .targets
            .iter()
            .filter_map(|target| {
                let reason = refusal(&mut state, target, request.transaction, size, limit, unix)?;
                Some(Refusal { account: target.account, reason })
            })
            .collect();
        if !refusals.is_empty() {
            return Err(MailstoreError::Refused { refusals });
        }
        let mut stored = BTreeMap::new();
        for target in &request.targets {
            let account = state.enter(target.account, target.epoch, unix)?;
            let message = message(Arc::clone(&content), Flags::NONE, now);
            stored.insert(target.account, deliver_one(account, request.transaction, message)?);
            self.announce(target.account, account);
        }
        Ok(Delivered { stored })
    }
}

impl MemoryMailstore {
    fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now().into()
    }
}

/// Why the target does not take the message, if it does not.
fn refusal(
    state: &mut State,
    target: &DeliveryTarget,
    transaction: TransactionId,
    size: u64,
    limit: u64,
    unix: u32,
) -> Option<RefusalReason> {
    let Ok(account) = state.enter(target.account, target.epoch, unix) else {
        return Some(RefusalReason::StaleEpoch);
    };
    if account.deliveries.contains(&transaction) {
        None
    } else if size > limit {
        Some(RefusalReason::TooLarge)
    } else if account.has_room(&target.quota, size, 1) {
        None
    } else {
        Some(RefusalReason::OverQuota)
    }
}

fn deliver_one(
    account: &mut Account,
    transaction: TransactionId,
    message: Message,
) -> Result<Option<Appended>, MailstoreError> {
    if !account.deliveries.insert(transaction) {
        return Ok(None);
    }
    let inbox = account.named(&MailboxName::inbox())?;
    let (inbox, uid_validity) = (inbox.id, inbox.uid_validity);
    account.next_modseq();
    account.touch(Some(inbox));
    let uid = account.add(inbox, message)?;
    Ok(Some(Appended { uid_validity, uid }))
}

const fn message(content: Arc<Content>, flags: Flags, received_at: DateTime<Utc>) -> Message {
    // `add` sets the MODSEQ.
    Message { modseq: ModSeq(0), flags, received_at, unclaimed: true, content }
}

/// Reads the whole body and learns its skeleton and header.
async fn content(spooled: &Spooled) -> Result<Content, MailstoreError> {
    let failed = |error| MailstoreError::Unavailable { message: format!("spool: {error}") };
    let body = spooled.bytes().await.map_err(failed)?;
    let mut builder = SkeletonBuilder::new(Limits::default());
    builder.push(&body);
    let learnt = builder.finish();
    let header_len = usize::try_from(learnt.skeleton.header_len()).unwrap_or(usize::MAX).min(body.len());
    // As a database would, keep no header apart that is too large for it.
    let header = if learnt.header_complete { learnt.header.into() } else { Bytes::new() };
    Ok(Content { skeleton: learnt.skeleton.encode().into(), header, header_len, body })
}
