//! Every setting of the process, with its default and the reason for it.

mod delivery;

pub use delivery::{DeliveryConfig, LocalConfig, OverQuota, OwnConfig, SmarthostConfig, TraceConfig};

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::config::{ConfigError, Settings};
use staffetta_chassis::grpc::{GrpcClientConfig, GrpcServerConfig};
use staffetta_chassis::postgres::PostgresConfig;
use staffetta_chassis::process::ProcessConfig;
use staffetta_chassis::spool::SpoolConfig;
use staffetta_message::address::{Address, Domain};
use staffetta_packs::{PackConfig, StoreConfig};

use crate::route::hickory::DnsConfig;

/// All settings of one process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundConfig {
    /// Logs, traces, health port, drain.
    #[serde(default)]
    pub process: ProcessConfig,
    /// Where ingress and administrators call.
    pub grpc: GrpcServerConfig,
    /// The queue's rows.
    pub database: PostgresConfig,
    /// The queue's bodies.
    pub store: StoreConfig,
    /// First part of every pack's key, so that services may share a bucket. Default `queue`.
    #[serde(default = "OutboundConfig::default_prefix")]
    pub prefix: String,
    /// Name of this pod in pack keys and in the history of attempts. Default random.
    #[serde(default)]
    pub writer: Option<String>,
    /// Group commit.
    #[serde(default)]
    pub packs: PackConfig,
    /// Bodies on their way in and out.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// Which domains and accounts are here.
    pub directory: GrpcClientConfig,
    /// The mailstore of each shard, by shard name.
    pub shards: BTreeMap<String, GrpcClientConfig>,
    /// What we call ourselves in EHLO and in bounces: a name that resolves to us and back.
    pub hostname: Domain,
    /// The author of bounces and delay notices; default `MAILER-DAEMON` at `hostname`.
    #[serde(default)]
    pub mailer_daemon: Option<Address>,
    /// Largest message in octets; default 100 MiB. Must not be below what ingress takes.
    #[serde(default = "OutboundConfig::default_max_message_size")]
    pub max_message_size: u64,
    /// Workers and leases.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// When to try again, and when to give up.
    #[serde(default)]
    pub retry: RetryConfig,
    /// Who we are in other people's DNS.
    #[serde(default)]
    pub own: OwnConfig,
    /// Delivery to accounts here.
    #[serde(default)]
    pub local: LocalConfig,
    /// Delivery to other servers.
    #[serde(default)]
    pub delivery: DeliveryConfig,
    /// Fixed next servers, the first that matches; none (default): mail goes where DNS says.
    #[serde(default)]
    pub smarthosts: Vec<SmarthostConfig>,
    /// Name servers.
    #[serde(default)]
    pub dns: DnsConfig,
    /// Traces that continue over SMTP.
    #[serde(default)]
    pub trace: TraceConfig,
}

/// Workers and leases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Deliveries at once in this pod; default 200: most of the time they wait for somebody else's server.
    pub workers: u32,
    /// Deliveries claimed in one go; default 50, which bounds the transaction.
    pub batch: u32,
    /// Deliveries to one domain at once, over all pods; default 20, about what large receivers tolerate.
    pub per_destination: u32,
    /// How long a claim lasts without renewal; default 60 s. A worker renews it three times as often; after a crash
    /// this is how long its deliveries rest.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// How often to look for what other pods queued; default 1 s. What this pod queued is seen at once.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// How long finished messages stay visible, and their transactions refused as known; default 3 days: "what became of
    /// yesterday's mail" is asked after the weekend too. At least an hour, far beyond any retry of ingress.
    #[serde(with = "humantime_serde")]
    pub history: Duration,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            workers: 200,
            batch: 50,
            per_destination: 20,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            history: Duration::from_secs(3 * 86_400),
        }
    }
}

/// When to try again, and when to give up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Between attempts at other servers; default 1 min, growing by 2.5 to 4 h, a fifth either way: greylisting is over at
    /// the second or third, a server that is down for a weekend gets a dozen.
    pub remote: Backoff,
    /// Between attempts at accounts here; default 1 s doubling to 1 min: our own services come back soon.
    pub local: Backoff,
    /// What is left of a message bounces after this time; default 5 days (RFC 5321 4.5.4.1).
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
    /// The sender is told once that the message is late; default after 4 h.
    #[serde(with = "humantime_serde")]
    pub delay_notice: Duration,
    /// A destination of which no server answers is left alone this long, by all messages; default 1 min.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            remote: Backoff {
                initial: Duration::from_secs(60),
                max: Duration::from_secs(4 * 3_600),
                factor: 2.5,
                jitter: 0.2,
            },
            local: Backoff {
                initial: Duration::from_secs(1),
                max: Duration::from_secs(60),
                factor: 2.0,
                jitter: 0.2,
            },
            lifetime: Duration::from_secs(5 * 86_400),
            delay_notice: Duration::from_secs(4 * 3_600),
            pause: Duration::from_secs(60),
        }
    }
}

impl OutboundConfig {
    fn default_prefix() -> String {
        "queue".to_owned()
    }

    fn default_max_message_size() -> u64 {
        100 << 20
    }
}

impl Settings for OutboundConfig {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let checks = [
            (
                "prefix",
                !self.prefix.trim_matches('/').is_empty() && self.prefix.bytes().all(plain),
                "must be letters, digits, '.', '_', '-' and '/'",
            ),
            ("hostname", !self.hostname.is_literal(), "must be a name, not an address"),
            (
                "shards",
                !self.shards.is_empty(),
                "needs the mailstore of at least one shard, e.g. [shards.main]",
            ),
            ("schedule.workers", self.schedule.workers > 0, "must be at least 1"),
            ("schedule.batch", self.schedule.batch > 0, "must be at least 1"),
            ("schedule.per_destination", self.schedule.per_destination > 0, "must be at least 1"),
            (
                "schedule.lease",
                self.schedule.lease >= Duration::from_secs(1),
                "must be at least 1s, or renewing it is all that happens",
            ),
            ("schedule.poll", !self.schedule.poll.is_zero(), "must be more than nothing, e.g. 1s"),
            (
                "schedule.history",
                self.schedule.history >= Duration::from_secs(3_600),
                "must be at least 1h: it keeps a repeated transaction from being queued twice",
            ),
            ("retry.lifetime", !self.retry.lifetime.is_zero(), "must be more than nothing, e.g. 5d"),
            ("delivery.max_recipients", self.delivery.max_recipients > 0, "must be at least 1"),
            ("delivery.max_candidates", self.delivery.max_candidates > 0, "must be at least 1"),
        ];
        for (key, holds, problem) in checks {
            if !holds {
                return Err(ConfigError::at(key, problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::config;

    use super::*;
    use crate::client::session::TlsUse;

    const MINIMAL: &str = r#"
        hostname = "out.north.test"
        [grpc]
        address = "127.0.0.1:0"
        [database]
        url = "postgres://localhost/mail"
        [store]
        type = "memory"
        [directory]
        target = "dns://directory:4000"
        [shards.main]
        target = "dns://mailstore:4000"
    "#;

    fn parse(more: &str) -> Result<OutboundConfig, ConfigError> {
        config::parse(&format!("{more}\n{MINIMAL}"), [])
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = parse("").unwrap();
        assert_eq!(config.prefix, "queue");
        assert_eq!(config.delivery.port, 25);
        assert_eq!(config.delivery.tls, TlsUse::Opportunistic);
        assert_eq!(config.retry.lifetime, Duration::from_secs(432_000));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_key() {
        for (text, key) in [
            ("prefix = '/'", "prefix"),
            ("schedule = { lease = '10ms' }", "schedule.lease"),
            ("schedule = { history = '1m' }", "schedule.history"),
            ("delivery = { prot = 25 }", "delivery"),
            ("smarthosts = [{ host = 'h', username = 'u' }]", "smarthosts"),
        ] {
            let error = parse(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(key), "{text}: {error}");
        }
    }

    #[test]
    fn smarthost_defaults_are_safe() {
        let config =
            parse("smarthosts = [{ host = 'relay.test', login = { username = 'u', password = 'p' } }]");
        let config = config.unwrap();
        let smarthost = &config.smarthosts[0];
        assert_eq!((smarthost.port, smarthost.tls), (587, TlsUse::Required));
        assert!(smarthost.verify && smarthost.domains.is_empty());
        assert!(!format!("{config:?}").contains("\"p\""));
    }
}
