//! DNS through hickory-resolver, which keeps answers for as long as their TTL says.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use serde::Deserialize;

use super::dns::{Dns, LookupFailure};
use super::mx::MxRecord;

/// Whom to ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Name servers as `address:port`; none (default): those of the system.
    pub servers: Vec<SocketAddr>,
    /// For one try of one server; default 5 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Tries per server; default 2.
    pub attempts: usize,
    /// Answers that are kept; default 8192.
    pub cache_size: u64,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(5), attempts: 2, cache_size: 8_192 }
    }
}

/// The resolver.
#[derive(Clone)]
pub struct HickoryDns {
    resolver: TokioResolver,
}

impl std::fmt::Debug for HickoryDns {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("HickoryDns")
    }
}

impl HickoryDns {
    /// A resolver.
    ///
    /// # Errors
    /// The system's settings cannot be read.
    pub fn new(config: &DnsConfig) -> Result<Self, NetError> {
        let mut builder = if config.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = config.servers.iter().map(name_server).collect();
            let resolver = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(resolver, TokioRuntimeProvider::default())
        };
        options(builder.options_mut(), config);
        Ok(Self { resolver: builder.build()? })
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Lookup, LookupFailure> {
        // Fully qualified, or the search list of the system would be tried too.
        let mut name = Name::from_ascii(name).map_err(|_| LookupFailure::NoDomain)?;
        name.set_fqdn(true);
        self.resolver.lookup(name, kind).await.map_err(|error| failure(&error))
    }
}

#[async_trait]
impl Dns for HickoryDns {
    async fn mx(&self, domain: &str) -> Result<Vec<MxRecord>, LookupFailure> {
        let lookup = self.lookup(domain, RecordType::MX).await?;
        let record = |data: &RData| match data {
            RData::MX(mx) => Some(MxRecord { preference: mx.preference, host: mx.exchange.to_ascii() }),
            _ => None,
        };
        Ok(lookup.answers().iter().filter_map(|answer| record(&answer.data)).collect())
    }

    async fn ipv4(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure> {
        let lookup = self.lookup(host, RecordType::A).await?;
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        };
        Ok(lookup.answers().iter().filter_map(|answer| address(&answer.data)).collect())
    }

    async fn ipv6(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure> {
        let lookup = self.lookup(host, RecordType::AAAA).await?;
        let address = |data: &RData| match data {
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        Ok(lookup.answers().iter().filter_map(|answer| address(&answer.data)).collect())
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn options(options: &mut ResolverOpts, config: &DnsConfig) {
    options.timeout = config.timeout;
    options.attempts = config.attempts;
    options.cache_size = config.cache_size;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Mail goes where DNS says, not where a file on this machine says.
    options.use_hosts_file = ResolveHosts::Never;
}

fn failure(error: &NetError) -> LookupFailure {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => LookupFailure::NoDomain,
            ResponseCode::NoError => LookupFailure::NoRecords,
            code => LookupFailure::Temporary(code.to_string()),
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => LookupFailure::NoDomain,
        error => LookupFailure::Temporary(error.to_string()),
    }
}
