//! How long the client waits for a server.

use std::time::Duration;

use serde::Deserialize;

use super::session::Phase;

/// A limit for every phase; the defaults are those of RFC 5321 4.5.3.2, where it names one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For the TCP connection; default 30 s: what does not answer by then hardly ever does.
    #[serde(with = "humantime_serde")]
    pub connect: Duration,
    /// For the TLS handshake; default 30 s.
    #[serde(with = "humantime_serde")]
    pub tls: Duration,
    /// For the greeting; default 5 min (4.5.3.2.1).
    #[serde(with = "humantime_serde")]
    pub greeting: Duration,
    /// For the replies to EHLO, HELO, STARTTLS and AUTH; default 5 min, as for MAIL.
    #[serde(with = "humantime_serde")]
    pub hello: Duration,
    /// For the reply to MAIL and RSET; default 5 min (4.5.3.2.2).
    #[serde(with = "humantime_serde")]
    pub mail: Duration,
    /// For the reply to RCPT; default 5 min (4.5.3.2.3).
    #[serde(with = "humantime_serde")]
    pub recipient: Duration,
    /// For the reply to DATA; default 2 min (4.5.3.2.4).
    #[serde(with = "humantime_serde")]
    pub data: Duration,
    /// For each piece of the body to be taken; default 3 min (4.5.3.2.5).
    #[serde(with = "humantime_serde")]
    pub block: Duration,
    /// For the reply to the final dot; default 10 min (4.5.3.2.6). Short ones duplicate mail.
    #[serde(with = "humantime_serde")]
    pub final_dot: Duration,
    /// For the goodbye; default 5 s: nothing depends on it.
    #[serde(with = "humantime_serde")]
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(30),
            greeting: minutes(5),
            hello: minutes(5),
            mail: minutes(5),
            recipient: minutes(5),
            data: minutes(2),
            block: minutes(3),
            final_dot: minutes(10),
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// The limit of a phase.
    #[must_use]
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Greeting => self.greeting,
            Phase::Hello => self.hello,
            Phase::Mail => self.mail,
            Phase::Recipient => self.recipient,
            Phase::Data => self.data,
            Phase::FinalDot => self.final_dot,
        }
    }
}
