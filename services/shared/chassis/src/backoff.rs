//! Growing waits between attempts.

use std::future::Future;
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

    /// Calls `operation` until it succeeds, fails with an error that is not `retryable`, or was tried
    /// `attempts` times. Only for reads and for calls that carry an idempotency key.
    ///
    /// # Errors
    /// The last error.
    pub async fn retry<T, E, F>(
        &self,
        attempts: u32,
        retryable: impl Fn(&E) -> bool,
        mut operation: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut attempt = 0;
        loop {
            match operation().await {
                Err(error) if attempt + 1 < attempts && retryable(&error) => {
                    tokio::time::sleep(self.delay(attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
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

    #[tokio::test]
    async fn retry_stops_at_success_at_the_limit_and_at_a_lasting_error() {
        let backoff = Backoff { initial: Duration::ZERO, ..Backoff::default() };
        let calls = std::cell::Cell::new(0);
        let failing_until = |good: u32| {
            let calls = &calls;
            calls.set(0);
            move || async move {
                calls.set(calls.get() + 1);
                if calls.get() >= good { Ok(calls.get()) } else { Err(calls.get()) }
            }
        };
        assert_eq!(backoff.retry(5, |_| true, failing_until(3)).await, Ok(3));
        assert_eq!(backoff.retry(2, |_| true, failing_until(3)).await, Err(2));
        assert_eq!(backoff.retry(5, |_| false, failing_until(3)).await, Err(1));
    }

    #[test]
    fn settings_out_of_range_do_not_panic() {
        let odd = Backoff { factor: f64::NAN, jitter: 9.0, ..Backoff::default() };
        assert!(odd.delay_with(5, f64::NAN) <= odd.max * 2);
    }
}
