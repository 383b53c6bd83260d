//! Where a recipient leads, and whether this peer may send there.

use std::sync::Arc;

use staffetta_directory_api::{AccountId, RecipientResolution, ResolvedAccount};
use staffetta_mailstore_api::QuotaUsage;
use staffetta_message::address::Address;
use staffetta_smtp::command::ForwardPath;
use staffetta_smtp::reply::EnhancedCode;

use crate::config::Role;
use crate::error::Refusal;
use crate::policy::Policy;
use crate::session::{Recipient, Route};

impl Policy {
    /// Judges one RCPT: `550 5.1.1` unknown user, `554 5.7.1` relaying without authentication, `452 4.2.2` over quota,
    /// `451` when directory is away. Postmaster is never unknown.
    ///
    /// # Errors
    /// The refusal.
    pub async fn recipient(
        &self,
        role: Role,
        path: ForwardPath,
        announced_size: Option<u64>,
    ) -> Result<Recipient, Refusal> {
        let address = match path {
            ForwardPath::Address(address) => address,
            ForwardPath::Postmaster => self.config.postmaster.clone(),
        };
        let route = match self.resolve(&address).await? {
            RecipientResolution::Local(accounts) => self.with_room(accounts, announced_size).await?,
            RecipientResolution::UnknownUser if address.local().eq_ignore_ascii_case("postmaster") => {
                self.postmaster(&address).await?
            }
            RecipientResolution::UnknownUser => {
                let text = format!("no such user: <{address}>");
                return Err(Refusal::new("unknown_user", 550, EnhancedCode(5, 1, 1), text));
            }
            // The session lets nobody get here on a submission role without having logged in.
            RecipientResolution::Remote if role.authenticates() => Route::Remote,
            RecipientResolution::Remote => {
                let text = format!("relaying to <{address}> is not permitted without authentication");
                return Err(Refusal::new("relaying", 554, EnhancedCode(5, 7, 1), text));
            }
        };
        Ok(Recipient { address, route })
    }

    async fn resolve(&self, address: &Address) -> Result<RecipientResolution, Refusal> {
        if let Some(accounts) = self.local.get(address).await {
            return Ok(RecipientResolution::Local(accounts.to_vec()));
        }
        let asked = self.ports.resolution.resolve_recipients(std::slice::from_ref(address)).await;
        let resolution = match asked.map(|mut answers| answers.pop()) {
            Ok(Some(resolution)) => resolution,
            Ok(None) => {
                tracing::error!("directory gave no answer for a recipient");
                return Err(Refusal::away());
            }
            Err(error) => return Err(Refusal::directory(&error, "resolve recipient")),
        };
        if let RecipientResolution::Local(accounts) = &resolution {
            self.local.insert(address.clone(), Arc::from(accounts.as_slice())).await;
        }
        Ok(resolution)
    }

    /// RFC 5321 4.5.1: mail for postmaster of any domain here is taken; the configured account gets it.
    async fn postmaster(&self, address: &Address) -> Result<Route, Refusal> {
        match self.resolve(&self.config.postmaster).await? {
            RecipientResolution::Local(accounts) => Ok(Route::Local(accounts)),
            RecipientResolution::UnknownUser | RecipientResolution::Remote => {
                tracing::error!(
                    %address,
                    postmaster = %self.config.postmaster,
                    "mail for postmaster cannot be taken: the configured postmaster is no account here"
                );
                Err(Refusal::new(
                    "no_postmaster",
                    451,
                    EnhancedCode(4, 3, 5),
                    "postmaster has no mailbox yet",
                ))
            }
        }
    }

    /// Refuses when every account that the recipient leads to is full. Advisory: the store decides exactly.
    async fn with_room(
        &self,
        accounts: Vec<ResolvedAccount>,
        announced_size: Option<u64>,
    ) -> Result<Route, Refusal> {
        for account in &accounts {
            let Some(usage) = self.usage_of(account).await else { return Ok(Route::Local(accounts)) };
            let bytes = usage.bytes.saturating_add(announced_size.unwrap_or(1));
            if account.quota.allows(bytes, usage.messages + 1) {
                return Ok(Route::Local(accounts));
            }
        }
        Err(Refusal::new("over_quota", 452, EnhancedCode(4, 2, 2), "mailbox is full, try again later"))
    }

    /// How full an account is; `None` when it does not matter or cannot be told.
    async fn usage_of(&self, account: &ResolvedAccount) -> Option<QuotaUsage> {
        if account.quota.bytes == 0 && account.quota.messages == 0 {
            return None;
        }
        if let Some(usage) = self.usage.get(&account.account).await {
            return Some(usage);
        }
        let shard = self.ports.shards.get(&account.shard)?;
        match shard.accounts.usage(&[account.account]).await.map(|mut usage| usage.pop()) {
            Ok(usage) => {
                let usage = usage.unwrap_or_default();
                self.usage.insert(account.account, usage).await;
                Some(usage)
            }
            Err(error) => {
                tracing::debug!(%error, account = %account.account, "quota use not known, the store will decide");
                None
            }
        }
    }

    /// Forgets how full accounts are: they have just got mail.
    pub(crate) async fn forget_usage(&self, accounts: impl Iterator<Item = AccountId>) {
        for account in accounts {
            self.usage.invalidate(&account).await;
        }
    }
}
