//! How often one client address may come: one port, counted by a pod alone or in Redis for all pods.
//!
//! Both count by GCRA (a leaky bucket that stores one time per key): a whole minute's allowance may be used
//! at once, then it refills evenly.

mod fallback;
mod local;
mod redis;
#[cfg(test)]
pub(crate) mod suite;

pub use self::redis::RedisRates;
pub use fallback::FallbackRates;
pub use local::LocalRates;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;

/// Counts what clients do.
#[async_trait]
pub trait Rates: Send + Sync + 'static {
    /// Takes `cost` out of the allowance, or nothing if it does not fit; a cost of 0 only looks whether 1 would.
    async fn take(
        &self,
        what: Counted,
        client: Client,
        allowance: Allowance,
        cost: u32,
    ) -> Result<Verdict, RatesError>;
}

/// The thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Connections.
    Connection,
    /// Transactions.
    Message,
    /// Failed logins.
    AuthFailure,
}

impl Counted {
    /// The name in keys and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Message => "message",
            Self::AuthFailure => "auth_failure",
        }
    }
}

/// Whom the counting is about: an IPv4 address, or the /64 of an IPv6 address, since one host owns all of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much a client may do in a minute; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Things a minute.
    pub per_minute: u32,
}

impl Allowance {
    /// The time one thing takes to refill, in microseconds, at least 1.
    fn interval(self) -> u64 {
        (60_000_000 / u64::from(self.per_minute.max(1))).max(1)
    }

    /// How far ahead of now a full bucket's time may be, in microseconds.
    fn burst(self) -> u64 {
        self.interval() * u64::from(self.per_minute)
    }

    /// GCRA: the new time of the bucket, or how long to wait. `time` and `now` in microseconds.
    fn judge(self, time: u64, now: u64, cost: u32) -> Result<u64, Duration> {
        let start = time.max(now);
        let end = start + self.interval() * u64::from(cost.max(1));
        let limit = now + self.burst();
        if end > limit {
            return Err(Duration::from_micros(end - limit));
        }
        Ok(if cost == 0 { start } else { end })
    }
}

/// Whether a client may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may not, and nothing was taken.
    Refused {
        /// When the same request fits at the earliest.
        retry_after: Duration,
    },
}

/// The counter cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("rates cannot be counted")]
pub struct RatesError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
