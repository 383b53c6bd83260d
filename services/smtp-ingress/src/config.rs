//! Every setting of the process, with its default and the reason for it.

mod limits;

pub use limits::{AcceptanceConfig, BodyConfig, LimitsConfig, RatesConfig, TimeoutsConfig, TraceConfig};

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use staffetta_chassis::config::{ConfigError, Secret, Settings};
use staffetta_chassis::grpc::GrpcClientConfig;
use staffetta_chassis::net::ListenerConfig;
use staffetta_chassis::process::ProcessConfig;
use staffetta_chassis::spool::SpoolConfig;
use staffetta_chassis::tls::TlsServerConfig;
use staffetta_directory_api::ShardName;
use staffetta_message::address::{Address, Domain};

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Logs, traces, health port, drain.
    #[serde(default)]
    pub process: ProcessConfig,
    /// What we call ourselves in the greeting, in EHLO's answer, in Received and Message-ID: the name that MX
    /// records and certificates carry.
    pub hostname: Domain,
    /// Takes mail for a bare `postmaster`, and for `postmaster` of every domain here that has no such address
    /// (RFC 5321 4.5.1 asks that it never bounces). Must lead to an account; there is no sane default.
    pub postmaster: Address,
    /// Where peers connect; at least one.
    pub listeners: Vec<IngressListener>,
    /// Certificates for STARTTLS and port 465; none: no TLS, hence no AUTH except by `auth.plaintext`.
    #[serde(default)]
    pub tls: Option<TlsServerConfig>,
    /// How passwords may travel.
    #[serde(default)]
    pub auth: AuthConfig,
    /// Who exists.
    pub directory: GrpcClientConfig,
    /// The mailstore of each shard, by shard name.
    pub shards: BTreeMap<ShardName, GrpcClientConfig>,
    /// The queue.
    pub queue: GrpcClientConfig,
    /// Where rates are counted for all pods together; none (default): each pod counts alone.
    #[serde(default)]
    pub redis: Option<RedisConfig>,
    /// Where bodies wait until they are answered.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// Counts per connection and transaction.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What a message may look like.
    #[serde(default)]
    pub body: BodyConfig,
    /// How long to wait for peers.
    #[serde(default)]
    pub timeouts: TimeoutsConfig,
    /// How often one client address may come.
    #[serde(default)]
    pub rates: RatesConfig,
    /// How long and how often to try to make a message durable.
    #[serde(default)]
    pub acceptance: AcceptanceConfig,
    /// Traces that continue over SMTP.
    #[serde(default)]
    pub trace: TraceConfig,
}

/// One address to listen on, and what for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressListener {
    /// Names the listener in logs and among the endpoints; default: the role's name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    pub role: Role,
    /// Where it is and how many connections it takes.
    pub listen: ListenerConfig,
}

impl IngressListener {
    /// The name, or that of the role.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.role.name())
    }
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Mail from other servers for accounts here (port 25).
    Mx,
    /// Mail from users, STARTTLS (port 587, RFC 6409).
    Submission,
    /// Mail from users, TLS from the first octet (port 465, RFC 8314).
    Submissions,
}

impl Role {
    /// The name in settings, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
        }
    }

    /// Whether peers must log in, and may relay once they have.
    #[must_use]
    pub const fn authenticates(self) -> bool {
        !matches!(self, Self::Mx)
    }
}

/// How passwords may travel.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Whether a password is taken without TLS.
    pub plaintext: PlaintextAuth,
}

/// Whether a password is taken without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaintextAuth {
    /// Never (default): a password in the clear is a password lost.
    #[default]
    Never,
    /// From a loopback address only: for trying and developing on one machine.
    Loopback,
}

/// Where rates are counted for all pods together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://` or `rediss://` URL; a secret, since it may hold a password.
    pub url: Secret,
    /// Before the names of our keys, so that platforms can share a server; default `staffetta`.
    #[serde(default = "key_prefix")]
    pub key_prefix: String,
}

fn key_prefix() -> String {
    "staffetta".to_owned()
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if self.listeners.is_empty() {
            return Err(ConfigError::at("listeners", "at least one is needed"));
        }
        let mut names = BTreeSet::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            if !names.insert(listener.name()) {
                let problem = format!("two listeners are called {}; name one of them", listener.name());
                return Err(ConfigError::at(format!("listeners.{index}.name"), problem));
            }
            if listener.role == Role::Submissions && self.tls.is_none() {
                return Err(ConfigError::at("tls", "the role submissions needs certificates"));
            }
        }
        if self.shards.is_empty() {
            return Err(ConfigError::at("shards", "at least one is needed, e.g. [shards.main]"));
        }
        self.limits.validate()?;
        self.body.validate()
    }
}

#[cfg(test)]
pub(crate) mod tests;
