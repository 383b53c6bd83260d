//! Settings of a mailstore process.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::config::{ConfigError, Settings};
use staffetta_chassis::grpc::GrpcServerConfig;
use staffetta_chassis::postgres::PostgresConfig;
use staffetta_chassis::process::ProcessConfig;
use staffetta_chassis::spool::SpoolConfig;
use staffetta_directory_api::ShardName;
use staffetta_message::skeleton;
use staffetta_packs::{CacheConfig, PackConfig, StoreConfig};

use crate::hints::RedisHintsConfig;

/// All settings of one process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailstoreConfig {
    /// Logs, health, drain.
    #[serde(default)]
    pub process: ProcessConfig,
    /// Where gateways, ingress and outbound call.
    pub grpc: GrpcServerConfig,
    /// Metadata.
    pub database: PostgresConfig,
    /// Bodies.
    pub store: StoreConfig,
    /// First part of every pack's key, so that services and shards may share a bucket. Default `mail`.
    #[serde(default = "MailstoreConfig::default_prefix")]
    pub prefix: String,
    /// Name of this pod in pack keys: tells an operator where an orphan comes from. Default random.
    #[serde(default)]
    pub writer: Option<String>,
    /// Group commit.
    #[serde(default)]
    pub packs: PackConfig,
    /// The read cache.
    #[serde(default)]
    pub cache: CacheConfig,
    /// Bodies on their way in.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// Wake-ups between pods. Default in-process: right for one pod.
    #[serde(default)]
    pub hints: HintsConfig,
    /// Which shard this is. Default `main`.
    #[serde(default)]
    pub shard: ShardName,
    /// Who may call on behalf of accounts.
    pub tokens: TokenConfig,
    /// Bounds of accounts and messages.
    #[serde(default)]
    pub limits: Limits,
    /// How often watched accounts are looked at although no hint came. Default 3 s: the longest a lost wake-up lasts.
    #[serde(with = "humantime_serde", default = "MailstoreConfig::default_watch_poll")]
    pub watch_poll: Duration,
}

/// How pods wake each other.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum HintsConfig {
    /// Inside this process only.
    InProcess {},
    /// Through Redis.
    Redis(RedisHintsConfig),
}

impl Default for HintsConfig {
    fn default() -> Self {
        Self::InProcess {}
    }
}

/// How session tokens are verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Folder with directory's public keys, `<kid>.pub`; two while one replaces the other.
    pub public_keys: PathBuf,
}

/// Bounds of accounts and messages: each protects the others on the shard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Mailboxes, and subscriptions, of one account. Default 1,000: LIST stays one answer.
    pub mailboxes: usize,
    /// Different keywords of one account. Default 500: they are told on every SELECT.
    pub keywords: usize,
    /// Largest message in octets. Default 64 MiB: above what peers send, below what hurts.
    pub message_size: u64,
    /// Runs of expunged UIDs kept for each mailbox; older cursors get the full UID set. Default 10,000.
    pub journal: usize,
    /// Messages that one call of purge removes. Default 1,000: a transaction of well under a second.
    pub purge_chunk: u64,
    /// How deep MIME is looked into.
    pub mime: MimeLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mailboxes: 1_000,
            keywords: 500,
            message_size: 64 << 20,
            journal: 10_000,
            purge_chunk: 1_000,
            mime: MimeLimits::default(),
        }
    }
}

/// How deep MIME is looked into; beyond a limit a part is an opaque leaf, never an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MimeLimits {
    /// Nesting of multiparts and messages. Default 32.
    pub depth: usize,
    /// Parts of one message. Default 1,000.
    pub parts: usize,
    /// Octets of a header that is kept in the database. Default 256 KiB; a larger one is read from its body.
    pub header: usize,
}

impl Default for MimeLimits {
    fn default() -> Self {
        Self { depth: 32, parts: 1_000, header: 256 << 10 }
    }
}

impl From<&MimeLimits> for skeleton::Limits {
    fn from(limits: &MimeLimits) -> Self {
        Self { depth: limits.depth, parts: limits.parts, header: limits.header, ..Self::default() }
    }
}

impl MailstoreConfig {
    fn default_prefix() -> String {
        "mail".to_owned()
    }

    fn default_watch_poll() -> Duration {
        Duration::from_secs(3)
    }
}

impl Settings for MailstoreConfig {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if self.prefix.trim_matches('/').is_empty() || !self.prefix.bytes().all(plain) {
            return Err(ConfigError::at("prefix", "must be letters, digits, '.', '_', '-' and '/'"));
        }
        if self.watch_poll.is_zero() {
            return Err(ConfigError::at("watch_poll", "must be more than nothing, e.g. 3s"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::config;

    use super::*;

    const MINIMAL: &str = r#"
        [grpc]
        address = "127.0.0.1:0"
        [database]
        url = "postgres://localhost/mail"
        [store]
        type = "directory"
        path = "objects"
        [tokens]
        public_keys = "keys"
    "#;

    fn parse(text: &str) -> Result<MailstoreConfig, ConfigError> {
        config::parse(text, [])
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = parse(MINIMAL).unwrap();
        assert_eq!((config.prefix.as_str(), config.limits.mailboxes), ("mail", 1_000));
        assert!(matches!(config.hints, HintsConfig::InProcess {}));
    }

    #[test]
    fn stores_and_hints_are_chosen_by_type() {
        let text = MINIMAL
            .replace("type = \"directory\"\n        path = \"objects\"", "type = \"s3\"\nbucket = \"b\"");
        let text = format!("{text}\n[hints]\ntype = \"redis\"\nurl = \"redis://localhost\"\n");
        let config = parse(&text).unwrap();
        assert!(matches!(config.store, StoreConfig::S3(_)) && matches!(config.hints, HintsConfig::Redis(_)));
    }

    #[test]
    fn unknown_keys_are_refused_at_every_depth() {
        for wrong in
            ["[limits]\nmailbox = 3", "[limits.mime]\nbreadth = 3", "[hints]\ntype = \"in_process\"\nx = 1"]
        {
            assert!(parse(&format!("{MINIMAL}\n{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
