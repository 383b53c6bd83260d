//! Limits and waits of a session, each with its reason.

use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::config::ConfigError;

use crate::wire::limits::Limits;

/// Named settings of the section `[sessions]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Sessions of one account on one pod; more are refused with `NO [LIMIT]`. Default 30: a handful of devices with the five
    /// or so connections that desktop clients open.
    pub max_per_account: u32,
    /// A session without a command, outside IDLE, ends after this. Default 30 min, the least RFC 3501 5.4 allows.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// A connection that has not logged in ends after this. Default 1 min.
    #[serde(with = "humantime_serde")]
    pub login_timeout: Duration,
    /// A client that stops reading is cut off after this. Default 5 min.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// IDLE says `* OK Still here` this often, below the idle limits of load balancers and NATs. Default 2 min.
    #[serde(with = "humantime_serde")]
    pub still_here: Duration,
    /// Largest message APPEND takes, in octets. Default 50 MiB.
    pub max_message_bytes: u64,
    /// Failed logins before the connection is closed. Default 3.
    pub max_login_failures: u32,
    /// Answers of BAD before the connection is closed. Default 20.
    pub max_bad_commands: u32,
    /// How long after a failed renewal of the session token the next one is tried. Default 10 s.
    #[serde(with = "humantime_serde")]
    pub renew_retry: Duration,
    /// On SIGTERM the goodbyes are spread over this much of the drain budget, so that not all clients come back at once.
    /// Default 30 s; never more than the budget.
    #[serde(with = "humantime_serde")]
    pub goodbye_spread: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_per_account: 30,
            idle_timeout: Duration::from_secs(30 * 60),
            login_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(300),
            still_here: Duration::from_secs(120),
            max_message_bytes: 50 << 20,
            max_login_failures: 3,
            max_bad_commands: 20,
            renew_retry: Duration::from_secs(10),
            goodbye_spread: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_per_account == 0 {
            return Err(ConfigError::at("sessions.max_per_account", "must be at least 1"));
        }
        // What is beyond the limit is still read and dropped, so that the connection lives; the decoder does that up to here.
        let drained = Limits::default().drain;
        if self.max_message_bytes > drained {
            return Err(ConfigError::at("sessions.max_message_bytes", format!("must be at most {drained}")));
        }
        Ok(())
    }
}
