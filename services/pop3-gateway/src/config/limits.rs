//! Limits and waits, each with its default and the reason for it.

use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::config::ConfigError;

/// RFC 2449 4: a command line has up to 255 octets.
const LEAST_COMMAND_LINE: usize = 255;

/// Counts and sizes per session.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Octets of a command line, CRLF included, at least 255 (RFC 2449 4); default 2,048, since clients put initial
    /// responses of AUTH into it whatever their length.
    pub command_line: usize,
    /// Octets of a response in an AUTH exchange; default 8,192: twice what any mechanism here takes.
    pub auth_line: usize,
    /// Unknown or malformed commands before the connection is closed; default 10: a person typing stays
    /// below it.
    pub errors: u32,
    /// Failed logins before the connection is closed; default 5. Directory slows and locks out by itself.
    pub login_failures: u32,
    /// Sessions of one account on this pod; default 2: the maildrop admits one, and one more may be about to be told
    /// so.
    pub sessions_per_account: u32,
}

/// How long is waited for clients, and how often what must stay alive is refreshed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// From the connection to a login; default 3 min, for nobody waits longer than that for a password.
    #[serde(with = "humantime_serde")]
    pub login: Duration,
    /// Without a command, once logged in; default 10 min, the least that RFC 1939 3 allows.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Until a client has taken 64 KiB; default 5 min, so that a client behind a bad line gets its mail and one that
    /// stopped reading does not hold the lease for ever.
    #[serde(with = "humantime_serde")]
    pub write: Duration,
    /// Between heartbeats of the maildrop lease; default 15 s, a quarter of its life.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { command_line: 2_048, auth_line: 8_192, errors: 10, login_failures: 5, sessions_per_account: 2 }
    }
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(180),
            idle: Duration::from_secs(600),
            write: Duration::from_secs(300),
            heartbeat: Duration::from_secs(15),
        }
    }
}

impl LimitsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [("limits.command_line", self.command_line), ("limits.auth_line", self.auth_line)]
        {
            if value < LEAST_COMMAND_LINE {
                return Err(ConfigError::at(key, "must be at least 255 (RFC 2449 4)"));
            }
        }
        for (key, value) in [
            ("limits.errors", self.errors),
            ("limits.login_failures", self.login_failures),
            ("limits.sessions_per_account", self.sessions_per_account),
        ] {
            if value == 0 {
                return Err(ConfigError::at(key, "must be at least 1"));
            }
        }
        Ok(())
    }
}

impl TimeoutsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.idle < Duration::from_secs(600) {
            return Err(ConfigError::at("timeouts.idle", "must be at least 10min (RFC 1939 3)"));
        }
        if self.heartbeat.is_zero() || self.heartbeat > Duration::from_secs(30) {
            return Err(ConfigError::at(
                "timeouts.heartbeat",
                "must be between 1s and 30s: the lease lives 60s",
            ));
        }
        for (key, value) in [("timeouts.login", self.login), ("timeouts.write", self.write)] {
            if value.is_zero() {
                return Err(ConfigError::at(key, "must be longer than nothing"));
            }
        }
        Ok(())
    }
}
