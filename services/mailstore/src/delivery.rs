//! New messages: ingest while the body is at hand, then group commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Access, AppendRequest, Appended, DeliverRequest, Delivered, Delivery, MailboxName, MailstoreError,
    Refusal, RefusalReason,
};
use std::collections::BTreeSet;

use crate::error::{limit, submit};
use crate::outcome::Outcome;
use crate::ranges::quota;
use crate::store::{PostgresMailstore, keyword_column};

mod commit;
mod ingest;

pub(crate) use commit::DeliveryCommit;
use commit::Stored;
pub(crate) use commit::{Item, Key, Target};
use ingest::ingest;

#[async_trait]
impl Delivery for PostgresMailstore {
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError> {
        self.ensure(access.account, access.epoch).await?;
        let most = self.limits().message_size;
        if request.body.len() > most {
            return Err(limit(format!("at most {most} octets")));
        }
        let flags = if request.flags.keywords().is_empty() {
            request.flags
        } else {
            let mut transaction = self.lock(access).await?;
            let settled = self.settle_keywords(&mut transaction, access.account, &request.flags).await?;
            self.commit(transaction, &[]).await?;
            settled
        };
        let target = Target {
            account: access.account,
            epoch: access.epoch.0,
            most_bytes: quota(access.quota.bytes),
            most_messages: quota(access.quota.messages),
            key: Key::Append(request.key),
            mailbox: request.mailbox.into(),
            flags: i16::from(flags.bits()),
            keywords: keyword_column(&flags).map(|keywords| keywords.join(" ")),
            received_at: request.received_at.unwrap_or_else(|| self.now()),
        };
        let learnt = ingest(&request.body, &self.limits().mime).await?;
        let item = Item { targets: vec![target], header: learnt.header, skeleton: learnt.skeleton };
        let stored = self.inner.writer.submit(request.body, learnt.checksum, item).await.map_err(submit)?;
        match stored.into_iter().next().map(|(_, stored)| stored) {
            Some(Stored::Now(appended)) => Ok(appended),
            Some(Stored::Before(outcome)) => match outcome {
                Some(Outcome::Append { uid_validity, uid }) => appended(uid_validity, uid),
                _ => Err(crate::outcome::reused()),
            },
            None => Err(crate::error::internal("append without an answer")),
        }
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        let begun = self.inner.clock.instant();
        let (transaction, size) = (request.transaction, request.body.len());
        let accounts: Vec<i64> = request.targets.iter().map(|target| target.account.0).collect();
        let outcome = self.deliver_all(request).await;
        let took = self.inner.clock.instant().saturating_duration_since(begun);
        match &outcome {
            Ok(_) => tracing::info!(%transaction, ?accounts, size, ?took, "delivered"),
            Err(error) => tracing::info!(%transaction, ?accounts, size, ?took, %error, "not delivered"),
        }
        outcome
    }
}

impl PostgresMailstore {
    async fn deliver_all(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        let accounts: BTreeSet<AccountId> = request.targets.iter().map(|target| target.account).collect();
        if accounts.is_empty() || accounts.len() != request.targets.len() {
            let message = "a delivery has at least one target and none twice".to_owned();
            return Err(MailstoreError::Invalid { message });
        }
        if request.body.len() > self.limits().message_size {
            let refusal = |account| Refusal { account, reason: RefusalReason::TooLarge };
            return Err(MailstoreError::Refused { refusals: accounts.into_iter().map(refusal).collect() });
        }
        let entered =
            join_all(request.targets.iter().map(|target| self.ensure(target.account, target.epoch))).await;
        for outcome in entered {
            match outcome {
                // The commit names every account that refuses, and why.
                Ok(()) | Err(MailstoreError::StaleEpoch) => {}
                Err(error) => return Err(error),
            }
        }
        let received_at = self.now();
        let targets = request.targets.iter().map(|target| Target {
            account: target.account,
            epoch: target.epoch.0,
            most_bytes: quota(target.quota.bytes),
            most_messages: quota(target.quota.messages),
            key: Key::Delivery(request.transaction),
            mailbox: MailboxName::inbox().into(),
            flags: 0,
            keywords: None,
            received_at,
        });
        let targets = targets.collect();
        let learnt = ingest(&request.body, &self.limits().mime).await?;
        let item = Item { targets, header: learnt.header, skeleton: learnt.skeleton };
        let stored = self.inner.writer.submit(request.body, learnt.checksum, item).await.map_err(submit)?;
        let stored = stored.into_iter().map(|(account, stored)| match stored {
            Stored::Now(appended) => (account, Some(appended)),
            Stored::Before(_) => (account, None),
        });
        Ok(Delivered { stored: stored.collect() })
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now().into()
    }
}

fn appended(uid_validity: u32, uid: u32) -> Result<Appended, MailstoreError> {
    let uid_validity = staffetta_mailstore_api::UidValidity(uid_validity);
    Ok(Appended { uid_validity, uid: crate::ranges::uid(i64::from(uid))? })
}
