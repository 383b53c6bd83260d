//! Everything the ingress calls, as traits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use staffetta_directory_api::{Authentication, Budgets, Resolution, ShardName};
use staffetta_mailstore_api::{Accounts, Delivery, Mailstore};
use staffetta_outbound_api::Queue;

use crate::policy::rates::Rates;

/// What is behind the ingress.
#[derive(Clone)]
pub struct Ports {
    /// Checks passwords.
    pub authentication: Arc<dyn Authentication>,
    /// Knows addresses.
    pub resolution: Arc<dyn Resolution>,
    /// Counts what users send.
    pub budgets: Arc<dyn Budgets>,
    /// The mailstore of each shard.
    pub shards: BTreeMap<ShardName, Shard>,
    /// Takes what cannot be delivered at once.
    pub queue: Arc<dyn Queue>,
    /// Counts what clients do.
    pub rates: Arc<dyn Rates>,
}

/// The part of one mailstore that the ingress may call.
#[derive(Clone)]
pub struct Shard {
    /// Stores messages.
    pub delivery: Arc<dyn Delivery>,
    /// Tells how full accounts are.
    pub accounts: Arc<dyn Accounts>,
}

impl Shard {
    /// The part of `mailstore` that the ingress may call.
    #[must_use]
    pub fn new(mailstore: Arc<dyn Mailstore>) -> Self {
        Self { delivery: mailstore.clone(), accounts: mailstore }
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("shards", &self.shards.keys()).finish_non_exhaustive()
    }
}
