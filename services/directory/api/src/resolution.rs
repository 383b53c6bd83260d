//! Where an address leads, and which addresses an account may send from.

use async_trait::async_trait;
use staffetta_message::address::{Address, Domain};

use crate::{AccountId, DirectoryError, Quota, ShardEpoch, ShardName};

/// Looks addresses up. Answers may be up to a few seconds old.
#[async_trait]
pub trait Resolution: Send + Sync + 'static {
    /// Where mail for each address goes; the answers stand in the order of the questions.
    ///
    /// Order of precedence: exact address, the address without its `+tag`, the domain's catch-all. A bare
    /// `postmaster` has the domain `localhost` replaced by the platform's default domain by the caller.
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError>;

    /// Whether the account may use `address` as MAIL FROM or header From: its primary address, an alias that leads to
    /// it, either of them with a `+tag`, or any otherwise unused address of a domain whose catch-all it is. In short: an
    /// address whose mail the account would receive. A disabled account may use none.
    async fn resolve_sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError>;

    /// Whether mail for the domain is delivered here (so outbound never looks up its MX).
    async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError>;
}

/// Where one recipient leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientResolution {
    /// To one or more accounts here (an alias may have several targets). Never empty.
    Local(Vec<ResolvedAccount>),
    /// The domain is ours, the user is not: `550 5.1.1`.
    UnknownUser,
    /// The domain is not ours: relay it, for those who may.
    Remote,
}

/// A final account of a local recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedAccount {
    /// The account.
    pub account: AccountId,
    /// Its primary address.
    pub address: Address,
    /// Where its mail lives.
    pub shard: ShardName,
    /// Guards against a moved account.
    pub epoch: ShardEpoch,
    /// How much it may store.
    pub quota: Quota,
    /// The `+tag` of the recipient, if it had one.
    pub tag: Option<String>,
}

/// The answer of [`Resolution::resolve_sender`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderResolution {
    /// The account may send as this address.
    Permitted,
    /// The address belongs to somebody else, or to nobody here.
    Denied,
}
