//! One mail transaction: what MAIL and RCPT said.

use std::collections::BTreeSet;

use staffetta_directory_api::{ResolvedAccount, ShardName};
use staffetta_mailstore_api::{DeliveryTarget, TransactionId};
use staffetta_message::address::Address;

/// The envelope of a message under way.
#[derive(Debug, Clone)]
pub struct Transaction {
    id: TransactionId,
    sender: Option<Address>,
    size: Option<u64>,
    recipients: Vec<Recipient>,
}

/// A recipient that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// As in RCPT.
    pub address: Address,
    /// Where it leads.
    pub route: Route,
}

/// Where a recipient leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To accounts here; never empty.
    Local(Vec<ResolvedAccount>),
    /// To another server.
    Remote,
}

impl Transaction {
    pub(crate) fn new(id: TransactionId, sender: Option<Address>, size: Option<u64>) -> Self {
        Self { id, sender, size, recipients: Vec::new() }
    }

    /// Drawn at MAIL; the idempotency key of the acceptance and the name of the message in every log.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// MAIL FROM; `None` is the null sender.
    #[must_use]
    pub fn sender(&self) -> Option<&Address> {
        self.sender.as_ref()
    }

    /// What MAIL said about the size.
    #[must_use]
    pub fn announced_size(&self) -> Option<u64> {
        self.size
    }

    /// The accepted recipients, no address twice, in the order of RCPT.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Adds a recipient; a repeated address is accepted and changes nothing.
    pub(crate) fn add(&mut self, recipient: Recipient) {
        if !self.recipients.iter().any(|known| known.address == recipient.address) {
            self.recipients.push(recipient);
        }
    }

    /// The shard and its accounts (each once, whatever number of recipients lead to it), if every recipient is
    /// local and all live on one shard; otherwise `None`.
    #[must_use]
    pub fn one_shard(&self) -> Option<(ShardName, Vec<DeliveryTarget>)> {
        let mut shard: Option<&ShardName> = None;
        let mut targets = Vec::new();
        let mut seen = BTreeSet::new();
        for recipient in &self.recipients {
            let Route::Local(accounts) = &recipient.route else { return None };
            for account in accounts {
                if *shard.get_or_insert(&account.shard) != &account.shard {
                    return None;
                }
                if seen.insert(account.account) {
                    targets.push(target(account));
                }
            }
        }
        shard.map(|shard| (shard.clone(), targets))
    }
}

fn target(account: &ResolvedAccount) -> DeliveryTarget {
    DeliveryTarget { account: account.account, epoch: account.epoch, quota: account.quota }
}
