//! What failed logins lead to: a (login, address) pair and an address are locked, a login alone is only slowed.
//!
//! - An attempt whose password must be hashed is charged before the hash and given back when it was right, so that a
//!   thousand guesses at once are not all let through before the first has failed.
//! - Counters live in the pod; with Redis also there, so that pods see each other's failures and a restart forgets
//!   nothing. Redis away: the pod's own counters, which are always kept, decide.
//! - Nothing is counted for logins that the verification cache answers.

mod counters;
mod shared;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use staffetta_chassis::clock::Clock;
use staffetta_directory_api::DirectoryError;
use tokio::sync::Semaphore;

use crate::config::{CLIENT_PREFIX, LockoutConfig, RedisConfig};
use counters::{Count, Counters};
use shared::SharedCounters;

/// Counts failures and says who may try.
pub(crate) struct Lockout {
    config: LockoutConfig,
    clock: Arc<dyn Clock>,
    local: Counters,
    shared: Option<SharedCounters>,
    delayed: Semaphore,
}

/// The three counters of one attempt. Logins are hashed: they are attacker-chosen and as long as they like.
#[derive(Debug)]
pub(crate) struct Attempt {
    pair: String,
    address: String,
    login: String,
}

impl Attempt {
    pub(crate) fn new(login: &str, client: IpAddr) -> Self {
        let login = blake3::hash(login.trim().to_ascii_lowercase().as_bytes()).to_hex();
        let (login, client) = (&login[..32], group(client));
        Self {
            pair: format!("p:{login}:{client}"),
            address: format!("a:{client}"),
            login: format!("l:{login}"),
        }
    }

    fn keys(&self) -> [&str; 3] {
        [&self.pair, &self.address, &self.login]
    }
}

impl Lockout {
    pub(crate) fn new(
        config: LockoutConfig,
        redis: Option<&RedisConfig>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, redis::RedisError> {
        let shared = redis.map(|redis| SharedCounters::new(redis, Arc::clone(&clock))).transpose()?;
        let local = Counters::new(config.max_counters);
        let delayed = Semaphore::new(config.max_delayed);
        Ok(Self { config, clock, local, shared, delayed })
    }

    /// Refuses a locked attempt and slows one whose login is under attack.
    pub(crate) async fn admit(&self, attempt: &Attempt) -> Result<(), DirectoryError> {
        let mut counts = self.local.read(attempt.keys(), self.clock.instant());
        if let Some(shared) = &self.shared {
            merge(&mut counts, shared.read(attempt.keys()).await);
        }
        self.refuse_locked(&counts, 0)?;
        let delay = self.delay(counts[2].failures);
        if delay > Duration::ZERO
            && let Ok(_permit) = self.delayed.try_acquire()
        {
            self.clock.sleep(delay).await;
        }
        Ok(())
    }

    /// Counts an attempt as failed before its password is hashed.
    pub(crate) async fn charge(&self, attempt: &Attempt) -> Result<(), DirectoryError> {
        let now = self.clock.instant();
        let limits = [self.config.pair_failures, self.config.address_failures, u32::MAX];
        let keys = attempt.keys();
        let (window, lock) = (self.config.window, self.config.lock);
        let mut counts = [0, 1, 2].map(|i| self.local.add(keys[i], limits[i], window, lock, now));
        if let Some(shared) = &self.shared {
            merge(&mut counts, shared.add(keys, limits, window, lock).await);
        }
        // This attempt is counted already and is one of the allowed ones.
        self.refuse_locked(&counts, 1)
    }

    /// The password was right: forgets the pair's failures and gives this attempt back to the other two.
    pub(crate) async fn forgive(&self, attempt: &Attempt) {
        self.local.clear(&attempt.pair);
        self.local.subtract(&attempt.address);
        self.local.subtract(&attempt.login);
        if let Some(shared) = &self.shared {
            shared.forgive(attempt.keys()).await;
        }
    }

    /// The password was not looked at: gives the attempt back to all three.
    pub(crate) async fn give_back(&self, attempt: &Attempt) {
        attempt.keys().into_iter().for_each(|key| self.local.subtract(key));
        if let Some(shared) = &self.shared {
            shared.give_back(attempt.keys()).await;
        }
    }

    fn refuse_locked(&self, counts: &[Count; 3], own: u32) -> Result<(), DirectoryError> {
        let limits = [self.config.pair_failures, self.config.address_failures];
        let locked =
            counts.iter().zip(limits).filter(|(count, limit)| count.failures >= limit.saturating_add(own));
        match locked.map(|(count, _)| count.left).max() {
            Some(retry_after) => Err(DirectoryError::LockedOut { retry_after }),
            None => Ok(()),
        }
    }

    fn delay(&self, failures: u32) -> Duration {
        let beyond = failures.saturating_sub(self.config.slow_after);
        if beyond == 0 {
            return Duration::ZERO;
        }
        let factor = 1u32.checked_shl(beyond - 1).unwrap_or(u32::MAX);
        self.config.first_delay.saturating_mul(factor).min(self.config.max_delay)
    }
}

/// The stricter of what the pod and what Redis know.
fn merge(counts: &mut [Count; 3], shared: Option<[Count; 3]>) {
    for (count, other) in counts.iter_mut().zip(shared.into_iter().flatten()) {
        if other.failures > count.failures {
            *count = other;
        }
    }
}

/// The address that counts: IPv4 as it is, IPv6 by its /64.
fn group(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & u128::from(CLIENT_PREFIX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
