//! Settings of delivery: here and to other servers.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;
use staffetta_chassis::config::Secret;
use staffetta_message::address::Domain;

use crate::client::pool::PoolConfig;
use crate::client::session::{EightBitPolicy, TlsUse};
use crate::client::timeouts::Timeouts;
use crate::route::AddressFamily;

/// Who we are in other people's DNS: mail that DNS would send to one of these has come back to us.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnConfig {
    /// Names of our mail servers, as MX records carry them; `hostname` counts always.
    pub hosts: Vec<Domain>,
    /// Our public addresses on port 25; behind a load balancer: the balancer's.
    pub addresses: Vec<IpAddr>,
}

/// Delivery to accounts here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalConfig {
    /// What happens to mail for a full mailbox; default `defer`.
    pub over_quota: OverQuota,
}

/// What happens to mail for a full mailbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverQuota {
    /// It waits for room until it expires (4.2.2).
    #[default]
    Defer,
    /// It bounces at once (5.2.2).
    Bounce,
}

/// Delivery to other servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// The port of mail exchangers; default 25. Another one is for tests and local platforms.
    pub port: u16,
    /// Which addresses are used; default `any`.
    pub family: AddressFamily,
    /// Servers tried in one attempt; default 5.
    pub max_candidates: usize,
    /// Recipients in one SMTP transaction; default 100, what every server must take (RFC 5321 4.5.3.1.8).
    pub max_recipients: usize,
    /// TLS to mail exchangers: `opportunistic` (default), `required`, `off`. Certificates are not checked: MX names come
    /// from DNS that anybody may have forged, so the alternative to an unchecked certificate is plain text.
    pub tls: TlsUse,
    /// Whether optional TLS that breaks is followed by a connection without; default true, as mail should arrive.
    pub plaintext_fallback: bool,
    /// An 8-bit body for a server without 8BITMIME: `bounce` (default, RFC 6152) or `send`.
    pub eight_bit: EightBitPolicy,
    /// Local addresses to connect from; default: the system chooses.
    pub sources: Vec<IpAddr>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Connection reuse.
    pub reuse: PoolConfig,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            port: 25,
            family: AddressFamily::Any,
            max_candidates: 5,
            max_recipients: 100,
            tls: TlsUse::Opportunistic,
            plaintext_fallback: true,
            eight_bit: EightBitPolicy::Bounce,
            sources: Vec::new(),
            timeouts: Timeouts::default(),
            reuse: PoolConfig::default(),
        }
    }
}

/// A fixed next server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmarthostConfig {
    /// Recipients' domains that go this way; none (default): all.
    #[serde(default)]
    pub domains: Vec<Domain>,
    /// Its host name or address.
    pub host: String,
    /// Its port; default 587 (submission).
    #[serde(default = "SmarthostConfig::default_port")]
    pub port: u16,
    /// Whether to use TLS; default `required`.
    #[serde(default = "SmarthostConfig::default_tls")]
    pub tls: TlsUse,
    /// TLS from the first octet (port 465) instead of STARTTLS; default false.
    #[serde(default)]
    pub implicit_tls: bool,
    /// Whether its certificate is checked; default true.
    #[serde(default = "SmarthostConfig::default_verify")]
    pub verify: bool,
    /// PEM file of the authority that it is checked by; default: the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How to log in; default: not at all. Made over TLS only.
    #[serde(default)]
    pub login: Option<LoginConfig>,
}

/// A login at a smarthost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginConfig {
    /// The login.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

impl SmarthostConfig {
    fn default_port() -> u16 {
        587
    }

    fn default_tls() -> TlsUse {
        TlsUse::Required
    }

    fn default_verify() -> bool {
        true
    }

    /// Whether mail for `domain` goes this way.
    #[must_use]
    pub fn takes(&self, domain: &Domain) -> bool {
        self.domains.is_empty() || self.domains.contains(domain)
    }
}

/// Traces that continue over SMTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceConfig {
    /// Whether relayed mail carries `X-Staffetta-Trace`, so that the next platform's trace continues ours; default false:
    /// it tells strangers our trace ids. For platforms among themselves.
    pub emit_header: bool,
}
