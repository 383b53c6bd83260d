//! The same counters in Redis, shared by all pods. Hints: every failure of Redis is answered by `None`.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Pipeline, RedisError, Script};
use staffetta_chassis::clock::Clock;

use super::counters::Count;
use crate::config::RedisConfig;

/// Adds one failure to each of three counters; arguments: window, lock (both ms), three limits.
const ADD: &str = r"
local answer = {}
for i = 1, 3 do
    local failures = redis.call('INCR', KEYS[i])
    if failures == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
    if failures == tonumber(ARGV[2 + i]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
    answer[2 * i - 1] = failures
    answer[2 * i] = redis.call('PTTL', KEYS[i])
end
return answer";

/// Takes one failure from each counter that has any, but forgets the first one when the argument says so.
const GIVE_BACK: &str = r"
for i = 1, 3 do
    if i == 1 and ARGV[1] == '1' then
        redis.call('DEL', KEYS[i])
    elseif tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then
        redis.call('DECR', KEYS[i])
    end
end";

/// The braces put the keys of every attempt on one cluster slot, which a script with several keys needs.
const PREFIX: &str = "{staffetta:lockout}:";

pub(super) struct SharedCounters {
    redis: ConnectionManager,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    pause: Duration,
    away_until: Mutex<Option<Instant>>,
    add: Script,
    give_back: Script,
}

impl SharedCounters {
    /// Connects at the first use, so that a pod starts without Redis.
    pub(super) fn new(config: &RedisConfig, clock: Arc<dyn Clock>) -> Result<Self, RedisError> {
        let client = Client::open(config.url.expose())?;
        let manager = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(config.timeout))
            .set_response_timeout(Some(config.timeout));
        Ok(Self {
            redis: ConnectionManager::new_lazy_with_config(client, manager)?,
            clock,
            timeout: config.timeout,
            pause: config.pause,
            away_until: Mutex::new(None),
            add: Script::new(ADD),
            give_back: Script::new(GIVE_BACK),
        })
    }

    pub(super) async fn read(&self, keys: [&str; 3]) -> Option<[Count; 3]> {
        let mut pipeline = Pipeline::new();
        for key in keys {
            pipeline.cmd("GET").arg(named(key)).cmd("PTTL").arg(named(key));
        }
        let mut redis = self.redis.clone();
        let query = async { pipeline.query_async::<[Option<i64>; 6]>(&mut redis).await };
        self.ask(query).await.map(|answer| counts(answer.map(Option::unwrap_or_default)))
    }

    pub(super) async fn add(
        &self,
        keys: [&str; 3],
        limits: [u32; 3],
        window: Duration,
        lock: Duration,
    ) -> Option<[Count; 3]> {
        let mut call = self.add.prepare_invoke();
        for key in keys {
            call.key(named(key));
        }
        call.arg(millis(window)).arg(millis(lock)).arg(&limits);
        let mut redis = self.redis.clone();
        self.ask(async { call.invoke_async::<[i64; 6]>(&mut redis).await }).await.map(counts)
    }

    pub(super) async fn forgive(&self, keys: [&str; 3]) {
        self.subtract(keys, 1).await;
    }

    pub(super) async fn give_back(&self, keys: [&str; 3]) {
        self.subtract(keys, 0).await;
    }

    async fn subtract(&self, keys: [&str; 3], forget_first: u8) {
        let mut call = self.give_back.prepare_invoke();
        for key in keys {
            call.key(named(key));
        }
        call.arg(forget_first);
        let mut redis = self.redis.clone();
        self.ask(async { call.invoke_async::<()>(&mut redis).await }).await;
    }

    async fn ask<T>(&self, query: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        let now = self.clock.instant();
        if self.away_until().is_some_and(|until| now < until) {
            return None;
        }
        let problem = match tokio::time::timeout(self.timeout, query).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(problem, pause = ?self.pause, "redis is away, lock-outs are counted per pod");
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + self.pause);
        None
    }

    fn away_until(&self) -> Option<Instant> {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(key: &str) -> String {
    format!("{PREFIX}{key}")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Pairs of failures and remaining milliseconds; a missing key has -2 of them.
fn counts(pairs: [i64; 6]) -> [Count; 3] {
    [0, 1, 2].map(|i| match (u32::try_from(pairs[2 * i]), u64::try_from(pairs[2 * i + 1])) {
        (Ok(failures), Ok(left)) => Count { failures, left: Duration::from_millis(left) },
        _ => Count::default(),
    })
}
