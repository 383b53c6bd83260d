//! Every setting of the process, with its default and the reason for it.

mod limits;

pub use limits::{LimitsConfig, TimeoutsConfig};

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use staffetta_chassis::config::{ConfigError, Settings};
use staffetta_chassis::grpc::client::GrpcClientConfig;
use staffetta_chassis::net::ListenerConfig;
use staffetta_chassis::process::ProcessConfig;
use staffetta_chassis::tls::TlsServerConfig;
use staffetta_directory_api::ShardName;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Logs, traces, health port, drain.
    #[serde(default)]
    pub process: ProcessConfig,
    /// Where clients connect; at least one.
    pub listeners: Vec<Pop3Listener>,
    /// Certificates for STLS and port 995; none: no TLS, hence no login except by `auth.plaintext`.
    #[serde(default)]
    pub tls: Option<TlsServerConfig>,
    /// How passwords may travel.
    #[serde(default)]
    pub auth: AuthConfig,
    /// Who exists.
    pub directory: GrpcClientConfig,
    /// The mailstore of each shard, by shard name.
    pub shards: BTreeMap<ShardName, GrpcClientConfig>,
    /// Counts and sizes per session.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How long to wait for clients.
    #[serde(default)]
    pub timeouts: TimeoutsConfig,
}

/// One address to listen on, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pop3Listener {
    /// Names the listener in logs and among the endpoints; default: the role's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether TLS comes first.
    pub role: Role,
    /// Where it is and how many connections it takes.
    pub listen: ListenerConfig,
}

impl Pop3Listener {
    /// The name, or that of the role.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.role.name())
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Plain until STLS (port 110, RFC 2595).
    Pop3,
    /// TLS from the first octet (port 995, RFC 8314).
    Pop3s,
}

impl Role {
    /// The name in settings, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
        }
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
            if listener.role == Role::Pop3s && self.tls.is_none() {
                return Err(ConfigError::at("tls", "the role pop3s needs certificates"));
            }
        }
        if self.shards.is_empty() {
            return Err(ConfigError::at("shards", "at least one is needed, e.g. [shards.main]"));
        }
        self.limits.validate()?;
        self.timeouts.validate()
    }
}
