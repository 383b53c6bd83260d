//! Delivery to accounts here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{
    AccountId, DirectoryError, RecipientResolution, Resolution, ResolvedAccount, ShardName,
};
use staffetta_mailstore_api::{
    DeliverRequest, Delivery, DeliveryTarget, MailstoreError, RefusalReason, TransactionId,
};
use staffetta_message::address::{Address, Domain};
use staffetta_outbound_api::{ClaimedDelivery, RecipientResult, RemoteReply, Verdict};
use staffetta_smtp::reply::EnhancedCode;

use crate::client::session::own_reply;
use crate::config::OverQuota;

/// Puts mail into mailboxes, with the key (transaction, account): repeating it is safe.
#[derive(Clone)]
pub struct LocalDelivery {
    directory: Arc<dyn Resolution>,
    shards: Arc<HashMap<ShardName, Arc<dyn Delivery>>>,
    over_quota: OverQuota,
}

/// What became of an account, or of a recipient of several.
type Fate = (Verdict, RemoteReply);

impl LocalDelivery {
    /// Delivers to the mailstores of `shards`.
    #[must_use]
    pub fn new(
        directory: Arc<dyn Resolution>,
        shards: HashMap<ShardName, Arc<dyn Delivery>>,
        over_quota: OverQuota,
    ) -> Self {
        Self { directory, shards: Arc::new(shards), over_quota }
    }

    /// Whether mail for `domain` stays here.
    ///
    /// # Errors
    /// The directory cannot tell.
    pub async fn is_local(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        self.directory.is_local_domain(domain).await
    }

    /// Delivers to every recipient of `delivery`.
    pub async fn deliver(&self, delivery: &ClaimedDelivery, body: &Spooled) -> Vec<RecipientResult> {
        let addresses: Vec<Address> =
            delivery.recipients.iter().map(|(_, address)| address.clone()).collect();
        let resolutions = match self.directory.resolve_recipients(&addresses).await {
            Ok(resolutions) if resolutions.len() == addresses.len() => resolutions,
            Ok(_) => {
                return all(delivery, &deferred(EnhancedCode(4, 3, 0), "directory answered out of step"));
            }
            Err(error) => return all(delivery, &deferred(EnhancedCode(4, 3, 0), &error.to_string())),
        };
        // RFC 5321 4.4: the final delivery adds the return path. It is the same for all recipients, so they share the body.
        let sender = delivery.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let body = body.prepend(format!("Return-Path: <{sender}>\r\n").as_bytes());
        let fates = self.store(delivery.transaction, accounts(&resolutions), &body).await;
        delivery
            .recipients
            .iter()
            .zip(&resolutions)
            .map(|((recipient, _), resolution)| {
                let (verdict, reply) = fate_of(resolution, &fates);
                RecipientResult { recipient: *recipient, verdict, reply }
            })
            .collect()
    }

    async fn store(
        &self,
        transaction: TransactionId,
        accounts: BTreeMap<AccountId, &ResolvedAccount>,
        body: &Spooled,
    ) -> HashMap<AccountId, Fate> {
        let mut by_shard: BTreeMap<&ShardName, Vec<&ResolvedAccount>> = BTreeMap::new();
        for account in accounts.into_values() {
            by_shard.entry(&account.shard).or_default().push(account);
        }
        let mut fates = HashMap::new();
        for (shard, accounts) in by_shard {
            match self.shards.get(shard) {
                Some(mailstore) => {
                    self.store_on(&**mailstore, transaction, accounts, body, &mut fates).await;
                }
                None => {
                    let text = format!("shard {shard} is not among this process's settings");
                    let fate = deferred(EnhancedCode(4, 3, 5), &text);
                    fates.extend(accounts.iter().map(|account| (account.account, fate.clone())));
                }
            }
        }
        fates
    }

    /// All or nothing: who refuses is taken out, and the others are delivered to without them.
    async fn store_on(
        &self,
        mailstore: &dyn Delivery,
        transaction: TransactionId,
        mut accounts: Vec<&ResolvedAccount>,
        body: &Spooled,
        fates: &mut HashMap<AccountId, Fate>,
    ) {
        while !accounts.is_empty() {
            let request = DeliverRequest { transaction, targets: targets(&accounts), body: body.clone() };
            let fate = match mailstore.deliver(request).await {
                Ok(_) => {
                    (Verdict::Delivered, own_reply(None, EnhancedCode(2, 1, 5), "delivered to the mailbox"))
                }
                Err(MailstoreError::Refused { refusals }) => {
                    let before = accounts.len();
                    let refused: BTreeSet<AccountId> =
                        refusals.iter().map(|refusal| refusal.account).collect();
                    accounts.retain(|account| !refused.contains(&account.account));
                    for refusal in refusals {
                        fates.insert(refusal.account, self.refused(refusal.reason));
                    }
                    if accounts.len() < before {
                        continue;
                    }
                    deferred(EnhancedCode(4, 3, 0), "mailstore refused accounts that were not asked for")
                }
                Err(error) => deferred(EnhancedCode(4, 3, 0), &error.to_string()),
            };
            fates.extend(accounts.drain(..).map(|account| (account.account, fate.clone())));
        }
    }

    fn refused(&self, reason: RefusalReason) -> Fate {
        match (reason, self.over_quota) {
            (RefusalReason::OverQuota, OverQuota::Defer) => {
                deferred(EnhancedCode(4, 2, 2), "mailbox is full")
            }
            (RefusalReason::OverQuota, OverQuota::Bounce) => failed(EnhancedCode(5, 2, 2), "mailbox is full"),
            (RefusalReason::StaleEpoch, _) => deferred(EnhancedCode(4, 2, 1), "account is being moved"),
            (RefusalReason::TooLarge, _) => {
                failed(EnhancedCode(5, 3, 4), "message is too large for the mailbox")
            }
        }
    }
}

/// Every account once, however many recipients lead to it.
fn accounts(resolutions: &[RecipientResolution]) -> BTreeMap<AccountId, &ResolvedAccount> {
    resolutions
        .iter()
        .filter_map(|resolution| match resolution {
            RecipientResolution::Local(accounts) => Some(accounts),
            RecipientResolution::UnknownUser | RecipientResolution::Remote => None,
        })
        .flatten()
        .map(|account| (account.account, account))
        .collect()
}

fn targets(accounts: &[&ResolvedAccount]) -> Vec<DeliveryTarget> {
    accounts
        .iter()
        .map(|account| DeliveryTarget {
            account: account.account,
            epoch: account.epoch,
            quota: account.quota,
        })
        .collect()
}

/// A recipient of several accounts waits for the one that waits; then one that failed speaks for it.
fn fate_of(resolution: &RecipientResolution, fates: &HashMap<AccountId, Fate>) -> Fate {
    let accounts = match resolution {
        RecipientResolution::Local(accounts) => accounts,
        RecipientResolution::UnknownUser => return failed(EnhancedCode(5, 1, 1), "no such user here"),
        // The domain left between two questions.
        RecipientResolution::Remote => return deferred(EnhancedCode(4, 3, 5), "domain is no longer here"),
    };
    let rank = |fate: &&Fate| match fate.0 {
        Verdict::Delivered => 0,
        Verdict::Failed => 1,
        Verdict::Deferred => 2,
    };
    let worst = accounts.iter().filter_map(|account| fates.get(&account.account)).max_by_key(rank);
    worst.cloned().unwrap_or_else(|| deferred(EnhancedCode(4, 3, 0), "account has no result"))
}

fn all(delivery: &ClaimedDelivery, fate: &Fate) -> Vec<RecipientResult> {
    let result = |(recipient, _): &(_, _)| RecipientResult {
        recipient: *recipient,
        verdict: fate.0,
        reply: fate.1.clone(),
    };
    delivery.recipients.iter().map(result).collect()
}

fn deferred(enhanced: EnhancedCode, text: &str) -> Fate {
    (Verdict::Deferred, own_reply(None, enhanced, text))
}

fn failed(enhanced: EnhancedCode, text: &str) -> Fate {
    (Verdict::Failed, own_reply(None, enhanced, text))
}
