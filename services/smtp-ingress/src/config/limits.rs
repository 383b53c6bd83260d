//! Limits, each with a name, a default and the reason for it. `0` never means "no limit" unless it says so.

use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::config::ConfigError;

/// Counts per connection and transaction.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Recipients of one transaction, at least 100 (RFC 5321 4.5.3.1.8); default 1,000, as large servers have it.
    pub recipients: usize,
    /// Refused commands (5yz) since the last accepted message before the connection is closed; default 20: a
    /// person testing by hand stays below it, a dictionary attack does not.
    pub errors: u32,
    /// Transactions of one connection; default 1,000: long enough for a busy relay to reuse its connection, short
    /// enough that load spreads over new pods.
    pub transactions: u32,
    /// Octets of a command line, CRLF included, at least 512 (RFC 5321 4.5.3.1.4); default 2,048, which leaves
    /// room for the parameters of extensions.
    pub command_line: usize,
    /// Octets of a line of an AUTH exchange; default 12,288 (RFC 4954 4).
    pub auth_line: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            recipients: 1_000,
            errors: 20,
            transactions: 1_000,
            command_line: staffetta_smtp::line::MAX_COMMAND_LINE,
            auth_line: staffetta_smtp::line::MAX_AUTH_LINE,
        }
    }
}

impl LimitsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.recipients < 100 {
            return Err(ConfigError::at("limits.recipients", "must be at least 100 (RFC 5321 4.5.3.1.8)"));
        }
        if self.command_line < 512 {
            return Err(ConfigError::at("limits.command_line", "must be at least 512 (RFC 5321 4.5.3.1.4)"));
        }
        for (key, value) in [("limits.errors", self.errors), ("limits.transactions", self.transactions)] {
            if value == 0 {
                return Err(ConfigError::at(key, "must be at least 1"));
            }
        }
        Ok(())
    }
}

/// What a message may look like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyConfig {
    /// Octets of a message; announced as SIZE. Default 50 MiB: what the largest providers take. Not above what
    /// mailstore takes.
    pub size: u64,
    /// Octets of a line, without CRLF; default 998 (RFC 5322 2.1.1). Higher values let sloppy senders in, and
    /// some next server refuse what we accepted.
    pub line: usize,
    /// Octets of the header; default 256 KiB: ten times the largest honest one. Kept in memory until it was judged.
    pub header: usize,
    /// Received fields that make a loop (RFC 5321 6.3 asks for at least 100 as a naive count; loops double mail, so
    /// we stop earlier); default 50.
    pub hops: usize,
}

impl Default for BodyConfig {
    fn default() -> Self {
        Self { size: 50 << 20, line: staffetta_smtp::data::MAX_TEXT_LINE, header: 256 << 10, hops: 50 }
    }
}

impl BodyConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.size < 64 << 10 {
            return Err(ConfigError::at("body.size", "must be at least 65536 (RFC 5321 4.5.3.1.7)"));
        }
        if self.line < staffetta_smtp::data::MAX_TEXT_LINE {
            return Err(ConfigError::at("body.line", "must be at least 998 (RFC 5322 2.1.1)"));
        }
        Ok(())
    }
}

/// How long to wait for peers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// For a command; default 5 min (RFC 5321 4.5.3.2.7 asks for at least that).
    #[serde(with = "humantime_serde")]
    pub command: Duration,
    /// Between two pieces of a body; default 3 min (RFC 5321 4.5.3.2.5).
    #[serde(with = "humantime_serde")]
    pub body_piece: Duration,
    /// For a whole body, however steadily it trickles; default 1 h: 50 MiB over a line of 15 KB/s.
    #[serde(with = "humantime_serde")]
    pub body: Duration,
    /// For a peer to take our replies; default 1 min.
    #[serde(with = "humantime_serde")]
    pub write: Duration,
    /// For a peer to close after our last reply, so that the reply is not lost with unread input; default 2 s.
    #[serde(with = "humantime_serde")]
    pub goodbye: Duration,
    /// Share of the drain budget, in percent, over which peers that say nothing are told 421; default 50: the rest
    /// is for messages that are under way.
    pub drain_spread_percent: u32,
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(5 * 60),
            body_piece: Duration::from_secs(3 * 60),
            body: Duration::from_secs(60 * 60),
            write: Duration::from_secs(60),
            goodbye: Duration::from_secs(2),
            drain_spread_percent: 50,
        }
    }
}

/// How often one client address (one /64 for IPv6) may come; each may be used up at once and refills over a minute.
/// `0` turns a rate off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatesConfig {
    /// Connections a minute, else 421 at connect; default 300: a busy relay opens some per second.
    pub connections_per_minute: u32,
    /// Transactions a minute, else 450 at MAIL; default 1,200: 20 messages per second of one server.
    pub messages_per_minute: u32,
    /// Failed logins a minute, else 454 at AUTH; default 20: several people behind one address mistype, guessing
    /// goes nowhere. Directory locks out on its own besides.
    pub auth_failures_per_minute: u32,
    /// Client addresses a pod remembers when it counts alone; default 100,000 (about 10 MB). Beyond it further
    /// addresses are not limited.
    pub tracked_clients: usize,
    /// How long to wait for Redis before counting alone; default 100 ms: a rate is not worth a stalled session.
    #[serde(with = "humantime_serde")]
    pub redis_timeout: Duration,
    /// How long to count alone after Redis failed, before it is asked again; default 1 s.
    #[serde(with = "humantime_serde")]
    pub redis_pause: Duration,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self {
            connections_per_minute: 300,
            messages_per_minute: 1_200,
            auth_failures_per_minute: 20,
            tracked_clients: 100_000,
            redis_timeout: Duration::from_millis(100),
            redis_pause: Duration::from_secs(1),
        }
    }
}

/// How long and how often to try to make a message durable.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptanceConfig {
    /// From the final dot to the reply; default 2 min: well below the 10 min that clients wait (RFC 5321
    /// 4.5.3.2.6), so that a failure is told before they hang up.
    #[serde(with = "humantime_serde")]
    pub data_reply_budget: Duration,
    /// For one call; a call that takes longer has an unknown outcome and is repeated. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub call: Duration,
    /// Between two rounds of calls; default 100 ms doubling to 5 s.
    pub backoff: Backoff,
    /// How long an answer of directory about an address that exists may be reused; default 3 s: it saves a call for
    /// every message of a busy pair, and a change is felt at once by human measure.
    #[serde(with = "humantime_serde")]
    pub resolution_cache: Duration,
    /// How long a look at an account's quota use may be reused; default 10 s: it is advisory, the store is exact.
    #[serde(with = "humantime_serde")]
    pub usage_cache: Duration,
    /// Entries of either cache; default 20,000.
    pub cache_entries: u64,
}

impl Default for AcceptanceConfig {
    fn default() -> Self {
        Self {
            data_reply_budget: Duration::from_secs(120),
            call: Duration::from_secs(30),
            backoff: Backoff::default(),
            resolution_cache: Duration::from_secs(3),
            usage_cache: Duration::from_secs(10),
            cache_entries: 20_000,
        }
    }
}

/// Traces that continue over SMTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceConfig {
    /// Whether the mx role continues the trace named in an `X-Staffetta-Trace` field; default false: a stranger
    /// could join our traces. True only where all peers are ours.
    pub accept_header: bool,
}
