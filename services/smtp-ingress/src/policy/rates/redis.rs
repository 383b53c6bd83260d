//! Rates of all pods together, in Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client as RedisClient, Script};

use super::{Allowance, Client, Counted, Rates, RatesError, Verdict};

/// The script is atomic and reads Redis' own clock, so pods with differing clocks agree.
const GCRA: &str = include_str!("redis/gcra.lua");

/// Counts in Redis; a hint that may be flushed at any time.
pub struct RedisRates {
    connection: ConnectionManager,
    script: Script,
    prefix: String,
}

impl RedisRates {
    /// Connects lazily: Redis need not be there.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, prefix: &str, timeout: Duration) -> Result<Self, RatesError> {
        let client = RedisClient::open(url).map_err(|error| RatesError(Box::new(error)))?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let connection = ConnectionManager::new_lazy_with_config(client, config)
            .map_err(|error| RatesError(Box::new(error)))?;
        Ok(Self { connection, script: Script::new(GCRA), prefix: prefix.to_owned() })
    }
}

#[async_trait]
impl Rates for RedisRates {
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
        let mut connection = self.connection.clone();
        let wait: u64 = self
            .script
            .key(format!("{}:rate:{}:{client}", self.prefix, what.name()))
            .arg(allowance.interval())
            .arg(allowance.burst())
            .arg(cost)
            .invoke_async(&mut connection)
            .await
            .map_err(|error| RatesError(Box::new(error)))?;
        Ok(match wait {
            0 => Verdict::Allowed,
            micros => Verdict::Refused { retry_after: Duration::from_micros(micros) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rates::suite;
    use crate::policy::rates::suite::PrivateRedis;

    #[tokio::test]
    async fn redis_rates_pass_the_suite() {
        let server = PrivateRedis::start().await;
        let rates = RedisRates::new(&server.url(), "test", Duration::from_secs(5)).unwrap();
        suite::rates(&rates, async |wait| tokio::time::sleep(wait + Duration::from_millis(20)).await).await;
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_an_error() {
        // Port 1 of loopback has no listener.
        let rates = RedisRates::new("redis://127.0.0.1:1", "test", Duration::from_millis(200)).unwrap();
        let client = Client::from(std::net::IpAddr::from([192, 0, 2, 1]));
        assert!(rates.take(Counted::Message, client, Allowance { per_minute: 1 }, 1).await.is_err());
    }
}
