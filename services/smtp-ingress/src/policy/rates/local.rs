//! Rates of this pod alone, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use staffetta_chassis::clock::Clock;

use super::{Allowance, Client, Counted, Rates, RatesError, Verdict};

/// Counts in memory, for at most so many clients.
#[derive(Debug)]
pub struct LocalRates {
    clock: Arc<dyn Clock>,
    origin: Instant,
    capacity: usize,
    buckets: Mutex<HashMap<(Counted, Client), u64>>,
}

impl LocalRates {
    /// An empty counter for `capacity` clients.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let origin = clock.instant();
        Self { clock, origin, capacity, buckets: Mutex::default() }
    }

    fn now(&self) -> u64 {
        let since = self.clock.instant().saturating_duration_since(self.origin);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)
    }

    fn judge(&self, key: (Counted, Client), allowance: Allowance, cost: u32) -> Verdict {
        let now = self.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let time = match buckets.get(&key) {
            Some(&time) => time,
            None => {
                if buckets.len() >= self.capacity {
                    // Empty buckets say nothing; if all are in use, newcomers pass: memory stays bounded.
                    buckets.retain(|_, time| *time > now);
                }
                if buckets.len() >= self.capacity {
                    return Verdict::Allowed;
                }
                0
            }
        };
        match allowance.judge(time, now, cost) {
            Ok(time) => {
                if cost > 0 {
                    buckets.insert(key, time);
                }
                Verdict::Allowed
            }
            Err(retry_after) => Verdict::Refused { retry_after },
        }
    }
}

#[async_trait]
impl Rates for LocalRates {
    async fn take(
        &self,
        what: Counted,
        client: Client,
        allowance: Allowance,
        cost: u32,
    ) -> Result<Verdict, RatesError> {
        if allowance.per_minute == 0 {
            return Ok(Verdict::Allowed);
        }
        Ok(self.judge((what, client), allowance, cost))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use staffetta_chassis::clock::Manual;

    use super::*;
    use crate::policy::rates::suite;

    #[tokio::test]
    async fn local_rates_pass_the_suite() {
        let clock = Manual::at_unix(1_000_000);
        let rates = LocalRates::new(Arc::new(clock.clone()), 100);
        suite::rates(&rates, async |wait| clock.advance(wait)).await;
    }

    #[tokio::test]
    async fn memory_is_bounded_and_used_up_clients_are_forgotten() {
        let clock = Manual::at_unix(1_000_000);
        let rates = LocalRates::new(Arc::new(clock.clone()), 2);
        let one = Allowance { per_minute: 1 };
        let client = |last: u8| Client::from(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        for last in 1..=10 {
            let verdict = rates.take(Counted::Message, client(last), one, 1).await.unwrap();
            assert_eq!(verdict, Verdict::Allowed);
        }
        assert_eq!(rates.buckets.lock().unwrap().len(), 2);
        clock.advance(Duration::from_secs(61));
        rates.take(Counted::Message, client(9), one, 1).await.unwrap();
        let again = rates.take(Counted::Message, client(9), one, 1).await.unwrap();
        assert!(matches!(again, Verdict::Refused { .. }), "a newcomer is counted again");
    }
}
