//! Where a service is: a host, a port, and whether TLS is spoken there.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use http::Uri;

use crate::config::ConfigError;

/// Where addresses come from.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses now.
    ///
    /// # Errors
    /// The name cannot be resolved now.
    async fn resolve(&self) -> io::Result<BTreeSet<SocketAddr>>;
}

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    tls: bool,
}

impl Target {
    /// Parses `dns://host:port`, `http://host:port` or `https://host:port`; with `tls_set`, `dns` speaks TLS.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str, tls_set: bool) -> Result<Self, ConfigError> {
        let wrong = || {
            let problem = format!("{text:?} is not dns://host:port, http://host:port or https://host:port");
            ConfigError::at("target", problem)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "dns" => tls_set,
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() || host.contains('/') {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// The name that certificates must have.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// Scheme and authority of every request.
    pub(super) fn origin(&self) -> Result<Uri, ConfigError> {
        let scheme = if self.tls { "https" } else { "http" };
        let host = match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        format!("{scheme}://{host}:{}/", self.port)
            .parse()
            .map_err(|_| ConfigError::at("target", format!("{:?} is not a host name", self.host)))
    }
}

#[async_trait]
impl Resolve for Target {
    async fn resolve(&self) -> io::Result<BTreeSet<SocketAddr>> {
        Ok(tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_parsed() {
        let plain = Target::parse("dns://mailstore.mail.svc:7000", false).unwrap();
        assert_eq!((plain.host(), plain.speaks_tls()), ("mailstore.mail.svc", false));
        assert!(Target::parse("dns://mailstore:7000", true).unwrap().speaks_tls());
        let v6 = Target::parse("https://[::1]:7000", false).unwrap();
        assert_eq!(v6.origin().unwrap().to_string(), "https://[::1]:7000/");
        for wrong in
            ["mailstore:7000", "http://mailstore", "ftp://a:1", "http://:1", "http://a/b:1", "http://a:x"]
        {
            assert!(Target::parse(wrong, false).is_err(), "{wrong}");
        }
    }
}
