//! Identities that every service shares: accounts and the shards they live on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identifies an account for ever: ids are never reused, not even after a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the shard (one mailstore, one database, one bucket prefix) that an account lives on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardName(pub String);

impl Default for ShardName {
    /// The one shard of a platform that never grew past one database.
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Grows when an account moves to another shard; mailstore refuses a call that carries an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardEpoch(pub i32);

/// How much an account may store. `0` means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quota {
    /// Sum of message sizes in octets.
    pub bytes: u64,
    /// Number of messages.
    pub messages: u64,
}

impl Quota {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { bytes: 0, messages: 0 };

    /// Whether `bytes` in `messages` are within the limits.
    #[must_use]
    pub fn allows(&self, bytes: u64, messages: u64) -> bool {
        (self.bytes == 0 || bytes <= self.bytes) && (self.messages == 0 || messages <= self.messages)
    }
}

/// What an account may do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// Logs in, sends and receives.
    Active,
    /// Receives mail but neither logs in nor sends; running sessions end at their next renewal.
    Disabled,
    /// Being purged from its shard; the address answers as unknown.
    Deleting,
}
