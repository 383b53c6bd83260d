//! The questions we ask DNS.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;

use super::mx::MxRecord;

/// Why there is no answer to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFailure {
    /// The name does not exist (NXDOMAIN).
    #[error("no such domain")]
    NoDomain,
    /// The name exists, without records of this type.
    #[error("no such records")]
    NoRecords,
    /// Nobody could tell: SERVFAIL, a time limit, a broken network.
    #[error("{0}")]
    Temporary(String),
}

impl LookupFailure {
    /// Whether another time may bring an answer.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

/// A resolver.
#[async_trait]
pub trait Dns: Debug + Send + Sync + 'static {
    /// The MX records of a domain, in any order; CNAMEs are followed.
    async fn mx(&self, domain: &str) -> Result<Vec<MxRecord>, LookupFailure>;

    /// The A records of a host.
    async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure>;

    /// The AAAA records of a host.
    async fn ipv6(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure>;
}
