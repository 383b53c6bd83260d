//! Who may do what. Asks the ports, answers with replies; knows no sockets and no session.

pub mod budget;
pub mod header;
pub mod passwords;
pub mod rates;
pub mod sender;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use moka::future::Cache;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::{AccountId, ResolvedAccount};
use staffetta_mailstore_api::QuotaUsage;
use staffetta_message::address::Address;
use staffetta_smtp::reply::EnhancedCode;

use crate::config::Config;
use crate::error::{Refusal, come_back};
use crate::ports::Ports;
use rates::{Allowance, Client, Counted, Verdict};

/// The rules of this ingress; shared by all sessions.
pub struct Policy {
    pub(crate) config: Arc<Config>,
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<dyn Clock>,
    /// Work that outlives a session: giving charges back, ending logins.
    pub(crate) tasks: Tasks,
    /// Addresses that exist. What does not exist is asked every time, so that a new account gets mail at once.
    pub(crate) local: Cache<Address, Arc<[ResolvedAccount]>>,
    /// Senders that an account may use.
    pub(crate) permitted: Cache<(AccountId, Address), ()>,
    /// How full accounts are, roughly.
    pub(crate) usage: Cache<AccountId, QuotaUsage>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Policy {
    /// The rules of `config` over `ports`.
    #[must_use]
    pub fn new(config: Arc<Config>, ports: Ports, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        let acceptance = &config.acceptance;
        let (entries, answers, usage) =
            (acceptance.cache_entries, acceptance.resolution_cache, acceptance.usage_cache);
        Self {
            local: Cache::builder().max_capacity(entries).time_to_live(answers).build(),
            permitted: Cache::builder().max_capacity(entries).time_to_live(answers).build(),
            usage: Cache::builder().max_capacity(entries).time_to_live(usage).build(),
            config,
            ports,
            clock,
            tasks,
        }
    }

    /// Whether a client may connect: else `421`, before the greeting.
    ///
    /// # Errors
    /// The refusal.
    pub async fn connect(&self, client: IpAddr) -> Result<(), Refusal> {
        let rate = self.config.rates.connections_per_minute;
        match self.count(Counted::Connection, client, rate, 1).await {
            Verdict::Allowed => Ok(()),
            Verdict::Refused { retry_after } => {
                let text = format!(
                    "at most {rate} connections a minute from your address, {}",
                    come_back(retry_after)
                );
                Err(Refusal::new("connection_rate", 421, EnhancedCode(4, 7, 0), text))
            }
        }
    }

    pub(crate) async fn count(&self, what: Counted, client: IpAddr, per_minute: u32, cost: u32) -> Verdict {
        let taken = self.ports.rates.take(what, Client::from(client), Allowance { per_minute }, cost).await;
        taken.unwrap_or_else(|error| {
            // A rate is a hint: a counter that cannot be asked must not stop the mail.
            tracing::warn!(%error, what = what.name(), "rate not counted");
            Verdict::Allowed
        })
    }
}
