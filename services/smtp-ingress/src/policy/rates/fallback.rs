//! Redis while it answers, this pod alone while it does not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use staffetta_chassis::clock::Clock;

use super::{Allowance, Client, Counted, Rates, RatesError, Verdict};

/// Asks `shared`, and `local` when that fails; after a failure `shared` is left alone for a pause, so that a dead
/// Redis costs a session nothing.
pub struct FallbackRates {
    shared: Arc<dyn Rates>,
    local: Arc<dyn Rates>,
    clock: Arc<dyn Clock>,
    pause: Duration,
    paused_until: Mutex<Option<Instant>>,
}

impl FallbackRates {
    /// `shared` first, `local` in its place.
    #[must_use]
    pub fn new(
        shared: Arc<dyn Rates>,
        local: Arc<dyn Rates>,
        clock: Arc<dyn Clock>,
        pause: Duration,
    ) -> Self {
        Self { shared, local, clock, pause, paused_until: Mutex::new(None) }
    }

    fn paused(&self) -> bool {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.clock.instant() < until)
    }

    fn pause(&self) {
        let until = self.clock.instant() + self.pause;
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

#[async_trait]
impl Rates for FallbackRates {
    async fn take(
        &self,
        what: Counted,
        client: Client,
        allowance: Allowance,
        cost: u32,
    ) -> Result<Verdict, RatesError> {
        if !self.paused() {
            match self.shared.take(what, client, allowance, cost).await {
                Ok(verdict) => return Ok(verdict),
                Err(error) => {
                    tracing::warn!(error = %error, source = ?error.0, "redis is away, rates are counted by this pod alone");
                    self.pause();
                }
            }
        }
        self.local.take(what, client, allowance, cost).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use staffetta_chassis::clock::Manual;

    use super::*;
    use crate::policy::rates::LocalRates;

    #[derive(Default)]
    struct Dead(AtomicU32);

    #[async_trait]
    impl Rates for Dead {
        async fn take(&self, _: Counted, _: Client, _: Allowance, _: u32) -> Result<Verdict, RatesError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(RatesError("away".into()))
        }
    }

    #[tokio::test]
    async fn a_dead_redis_is_asked_once_a_pause_and_rates_hold_all_the_same() {
        let clock = Manual::at_unix(0);
        let dead = Arc::new(Dead::default());
        let local = Arc::new(LocalRates::new(Arc::new(clock.clone()), 10));
        let rates = FallbackRates::new(dead.clone(), local, Arc::new(clock.clone()), Duration::from_secs(1));
        let client = Client::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let mut verdicts = Vec::new();
        for _ in 0..3 {
            verdicts
                .push(rates.take(Counted::Message, client, Allowance { per_minute: 2 }, 1).await.unwrap());
        }
        assert!(matches!(verdicts[..], [Verdict::Allowed, Verdict::Allowed, Verdict::Refused { .. }]));
        assert_eq!(dead.0.load(Ordering::SeqCst), 1);
        clock.advance(Duration::from_secs(2));
        let _ = rates.take(Counted::Message, client, Allowance { per_minute: 2 }, 0).await;
        assert_eq!(dead.0.load(Ordering::SeqCst), 2);
    }
}
