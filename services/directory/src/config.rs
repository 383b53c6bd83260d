//! The settings of the directory process.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::config::{ConfigError, Secret, Settings};
use staffetta_chassis::grpc::server::GrpcServerConfig;
use staffetta_chassis::postgres::PostgresConfig;
use staffetta_chassis::process::ProcessConfig;
use staffetta_directory_api::{Quota, SendingBudget, ShardName};
use staffetta_message::address::Address;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// Logs, health port, drain.
    #[serde(default)]
    pub process: ProcessConfig,
    /// The gRPC listener and who may call.
    pub grpc: GrpcServerConfig,
    /// The database; the schema is `directory` unless the section names another.
    pub postgres: PostgresConfig,
    /// Shares lock-outs between pods. Without it each pod counts for itself, so an attacker has the limits once per pod.
    #[serde(default)]
    pub redis: Option<RedisConfig>,
    /// Session tokens.
    pub tokens: TokenConfig,
    /// Password hashing.
    #[serde(default)]
    pub hashing: HashingConfig,
    /// Passwords that were verified a moment ago.
    #[serde(default)]
    pub verified: VerifiedConfig,
    /// Failed logins.
    #[serde(default)]
    pub lockout: LockoutConfig,
    /// Where addresses lead.
    #[serde(default)]
    pub resolution: ResolutionConfig,
    /// How much may be sent.
    #[serde(default)]
    pub budgets: BudgetConfig,
    /// What a new account gets.
    #[serde(default)]
    pub accounts: AccountConfig,
    /// Removal of what has expired.
    #[serde(default)]
    pub cleanup: CleanupConfig,
}

impl Settings for DirectoryConfig {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let hashing = &self.hashing;
        if argon2::Params::new(hashing.memory_kib, hashing.passes, hashing.lanes, None).is_err() {
            return Err(ConfigError::at(
                "hashing",
                "memory_kib must be at least 8 times lanes, passes at least 1",
            ));
        }
        if self.tokens.life < Duration::from_secs(60) {
            return Err(ConfigError::at("tokens.life", "must be at least 1m: gateways renew at half of it"));
        }
        if self.lockout.pair_failures == 0 || self.lockout.address_failures == 0 {
            return Err(ConfigError::at("lockout", "pair_failures and address_failures must be at least 1"));
        }
        if self.budgets.queue == 0 || self.budgets.batch == 0 {
            return Err(ConfigError::at("budgets", "queue and batch must be at least 1"));
        }
        Ok(())
    }
}

/// Redis, for counters only: it may be flushed or away.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://` or `rediss://` URL; a secret, for it may hold a password.
    pub url: Secret,
    /// A call that takes longer is given up and the pod's own counters decide.
    #[serde(default = "RedisConfig::default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// After a failed call Redis is left alone for this long, so that an outage costs one timeout and not one per login.
    #[serde(default = "RedisConfig::default_pause", with = "humantime_serde")]
    pub pause: Duration,
}

impl RedisConfig {
    fn default_timeout() -> Duration {
        Duration::from_millis(250)
    }

    fn default_pause() -> Duration {
        Duration::from_secs(2)
    }
}

/// Keys and lives of session tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Folder with `<kid>.key` (PKCS#8, PEM) and `<kid>.pub` (PEM) files of Ed25519 keys. Every `.pub` is trusted for
    /// handles; during a rotation there are two.
    pub directory: PathBuf,
    /// The key id that signs; may be left out while the folder holds one `.key`.
    #[serde(default)]
    pub signing_key: Option<String>,
    /// How long a token proves a session. Disabling an account takes effect within this time.
    #[serde(default = "TokenConfig::default_life", with = "humantime_serde")]
    pub life: Duration,
    /// How long a session may be renewed at all; a client must then log in again. IDLE clients stay for weeks.
    #[serde(default = "TokenConfig::default_session_life", with = "humantime_serde")]
    pub session_life: Duration,
}

impl TokenConfig {
    /// Keys in `directory`, default lives.
    #[must_use]
    pub fn in_directory(directory: PathBuf) -> Self {
        Self {
            directory,
            signing_key: None,
            life: Self::default_life(),
            session_life: Self::default_session_life(),
        }
    }

    fn default_life() -> Duration {
        staffetta_directory_api::token::TOKEN_LIFE
    }

    fn default_session_life() -> Duration {
        Duration::from_secs(30 * 24 * 60 * 60)
    }
}

/// argon2id parameters and the pool that computes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashingConfig {
    /// Memory of one hash in KiB. 19,456 with 2 passes and 1 lane is OWASP's minimum for argon2id. Stored hashes with
    /// other parameters stay valid and are replaced at the next login.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes; more of them only help an attacker with as many cores.
    pub lanes: u32,
    /// Hashes computed at the same time; 0: one per core.
    pub workers: usize,
    /// Hashes waiting for a worker; beyond it a login is answered as unavailable. 256 are about 6 s on one core.
    pub queue: usize,
}

impl Default for HashingConfig {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1, workers: 0, queue: 256 }
    }
}

/// The cache of verified (credential, version, password) triples, as keyed hashes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerifiedConfig {
    /// Entries at most (about 100 octets each); 0 turns the cache off.
    pub capacity: u64,
    /// How long an entry lives. A changed password never waits for it: the version is compared at every login.
    #[serde(with = "humantime_serde")]
    pub life: Duration,
}

impl Default for VerifiedConfig {
    fn default() -> Self {
        Self { capacity: 100_000, life: Duration::from_secs(60 * 60) }
    }
}

/// What failed logins lead to. IPv6 clients count by their /64.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LockoutConfig {
    /// Failures of one login from one address within `window` that lock this pair: a device with an old password.
    pub pair_failures: u32,
    /// Failures of one address within `window` that lock it: a guesser. Many users may share an address (NAT, webmail).
    pub address_failures: u32,
    /// In which time failures add up.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// How long a lock lasts.
    #[serde(with = "humantime_serde")]
    pub lock: Duration,
    /// Failures of one login from anywhere within `window` after which its logins are slowed. Never locked, or anybody
    /// could lock anybody out.
    pub slow_after: u32,
    /// First delay; it doubles with each further failure.
    #[serde(with = "humantime_serde")]
    pub first_delay: Duration,
    /// Longest delay.
    #[serde(with = "humantime_serde")]
    pub max_delay: Duration,
    /// Logins delayed at the same time; more of them are not delayed, so that an attack cannot pile them up.
    pub max_delayed: usize,
    /// Counters kept in the pod (about 100 octets each); the soonest to expire are forgotten first.
    pub max_counters: usize,
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            pair_failures: 10,
            address_failures: 100,
            window: Duration::from_secs(15 * 60),
            lock: Duration::from_secs(15 * 60),
            slow_after: 10,
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
            max_delayed: 1_000,
            max_counters: 200_000,
        }
    }
}

/// The cache of resolved addresses, and the fallback for postmaster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResolutionConfig {
    /// How old an answer may be; a change made through the same pod shows at once.
    #[serde(with = "humantime_serde")]
    pub cache_life: Duration,
    /// Addresses kept.
    pub cache_capacity: u64,
    /// Who gets the mail of `postmaster@` any of our domains where no account or alias has that name (RFC 5321
    /// section 4.5.1 wants it accepted).
    pub postmaster: Option<Address>,
}

impl Default for ResolutionConfig {
    fn default() -> Self {
        Self { cache_life: Duration::from_secs(3), cache_capacity: 100_000, postmaster: None }
    }
}

/// Default sending budgets, and how they are charged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// What an account may send unless it has a budget of its own.
    pub account: SendingBudget,
    /// What one sender address may send, whoever uses it. An account's own budget replaces this one too.
    pub sender: SendingBudget,
    /// Charges waiting; beyond it they are answered as unavailable.
    pub queue: usize,
    /// Charges of one transaction at most.
    pub batch: usize,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        let budget = SendingBudget {
            messages_per_hour: 1_000,
            messages_per_day: 5_000,
            recipients_per_hour: 5_000,
            recipients_per_day: 20_000,
        };
        Self { account: budget, sender: budget, queue: 4_096, batch: 256 }
    }
}

/// What a new account gets where its creator says nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountConfig {
    /// Octets; 0 is unlimited.
    pub quota_bytes: u64,
    /// Messages; 0 is unlimited.
    pub quota_messages: u64,
    /// Where its mail lives.
    pub shard: ShardName,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self { quota_bytes: 10 << 30, quota_messages: 0, shard: ShardName::default() }
    }
}

impl AccountConfig {
    pub(crate) fn quota(&self) -> Quota {
        Quota { bytes: self.quota_bytes, messages: self.quota_messages }
    }
}

/// The background job that removes expired rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanupConfig {
    /// How often it looks.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Rows of one statement.
    pub rows: u32,
    /// Pause between two statements, so that it never competes with logins.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
}

impl Default for CleanupConfig {
    fn default() -> Self {
        Self { every: Duration::from_secs(10 * 60), rows: 1_000, pause: Duration::from_millis(100) }
    }
}

/// IPv6 clients own a /64: they count as one.
pub(crate) const CLIENT_PREFIX: Ipv6Addr = Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0xffff, 0, 0, 0, 0);
