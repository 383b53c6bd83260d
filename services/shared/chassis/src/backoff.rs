//! Growing waits between attempts.

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// `initial * factor^attempt`, at most `max`, spread by `jitter` so that many callers do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The wait before the first repetition.
    #[serde(with = "humantime_serde")]
    pub initial: Duration,
    /// No wait is longer.
    #[serde(with = "humantime_serde")]
    pub max: Duration,
    /// Each wait is this many times the one before; at least 1.
    pub factor: f64,
    /// A wait is drawn from `wait * (1 - jitter) ..= wait * (1 + jitter)`; between 0 and 1.
    pub jitter: f64,
}

impl Default for Backoff {
    /// 100 ms doubling to 5 s, a quarter either way: quick for a blip, calm for an outage.
    fn default() -> Self {
        Self { initial: Duration::from_millis(100), max: Duration::from_secs(5), factor: 2.0, jitter: 0.25 }
    }
}

impl Backoff {
    /// The wait after `attempt` failures before this one (0 = first repetition).
    pub fn delay(&self, attempt: u32) -> Duration {
        self.delay_with(attempt, rand::rng().random())
    }

    /// As [`Self::delay`] with the random number (0.0..1.0) handed in.
    pub fn delay_with(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let capped = grown.min(self.max.as_secs_f64());
        let spread = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        Duration::try_from_secs_f64(capped * spread).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_maximum_and_stay_within_the_jitter() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay_with(0, 0.5), Duration::from_millis(100));
        assert_eq!(backoff.delay_with(3, 0.5), Duration::from_millis(800));
        assert_eq!(backoff.delay_with(u32::MAX, 0.5), Duration::from_secs(5));
        assert_eq!(backoff.delay_with(3, 0.0), Duration::from_millis(600));
        assert_eq!(backoff.delay_with(3, 1.0), Duration::from_millis(1000));
    }

    #[test]
    fn settings_out_of_range_do_not_panic() {
        let odd = Backoff { factor: f64::NAN, jitter: 9.0, ..Backoff::default() };
        assert!(odd.delay_with(5, f64::NAN) <= odd.max * 2);
    }
}
