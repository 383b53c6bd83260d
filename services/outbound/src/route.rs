//! Where a destination's mail goes: here, to a smarthost, or to the servers its DNS names.
//!
//! Invariants
//! - A domain that is ours is never looked up; a host that is us is never connected to (RFC 5321 5.1: mail loops).
//! - "There is no such domain" and "it takes no mail" bounce; "nobody could tell" is tried again.

pub mod dns;
pub mod hickory;
pub mod mx;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::join_all;
use rand::seq::SliceRandom;
use serde::Deserialize;
use staffetta_message::address::Domain;
use staffetta_outbound_api::{RemoteReply, Verdict};
use staffetta_smtp::reply::EnhancedCode;

use self::dns::{Dns, LookupFailure};
use crate::client::session::own_reply;

/// Which addresses of a server are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressFamily {
    /// IPv6 and IPv4 in turn (default).
    #[default]
    Any,
    /// IPv4 only: where the network has no IPv6.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The name it was found by.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
}

/// Why there is nobody to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoute {
    /// Deferred or failed.
    pub verdict: Verdict,
    /// What the queue keeps.
    pub reply: RemoteReply,
}

/// Finds the servers of a domain.
#[derive(Clone, Debug)]
pub struct Router {
    dns: Arc<dyn Dns>,
    own: Arc<OwnNames>,
    port: u16,
    family: AddressFamily,
    max_candidates: usize,
}

/// By what we recognise ourselves in somebody's MX records.
#[derive(Clone, Debug, Default)]
pub struct OwnNames {
    /// Our host names, lower case.
    pub hosts: HashSet<String>,
    /// Our addresses, as other servers reach us.
    pub addresses: HashSet<IpAddr>,
}

impl Router {
    /// A router that asks `dns` and connects to `port`; at most `max_candidates` servers are tried in one attempt.
    #[must_use]
    pub fn new(
        dns: Arc<dyn Dns>,
        own: OwnNames,
        port: u16,
        family: AddressFamily,
        max_candidates: usize,
    ) -> Self {
        Self { dns, own: Arc::new(own), port, family, max_candidates }
    }

    /// The servers for mail to `domain`, in the order they are to be tried (RFC 5321 5.1).
    ///
    /// # Errors
    /// [`NoRoute`].
    pub async fn exchangers(&self, domain: &Domain) -> Result<Vec<Candidate>, NoRoute> {
        if let Some(literal) = domain.literal() {
            return self.literal(domain, literal);
        }
        let records = match self.dns.mx(domain.as_str()).await {
            Ok(records) => records,
            Err(LookupFailure::NoRecords) => Vec::new(),
            Err(failure) => return Err(lookup_failed(domain.as_str(), &failure)),
        };
        let implicit = records.is_empty();
        let mut hosts = mx::order(domain.as_str(), records, &mut rand::rng()).map_err(|mx::NullMx| {
            refuse(EnhancedCode(5, 1, 10), &format!("{domain} takes no mail (null MX)"))
        })?;
        hosts.truncate(mx::MAX_HOSTS);
        let answers = join_all(hosts.iter().map(|host| self.locate(&host.name))).await;
        let (mut located, mut first_failure) = (Vec::with_capacity(hosts.len()), None);
        for (host, answer) in hosts.into_iter().zip(answers) {
            match answer {
                Ok(addresses) => located.push((host, addresses)),
                Err(failure) => {
                    first_failure.get_or_insert((host.name, failure));
                }
            }
        }
        let before = located.len();
        let others = mx::before_ourselves(located, |host, addresses| self.is_us(host, addresses));
        if others.is_empty() && before > 0 {
            return Err(refuse(EnhancedCode(5, 4, 6), &format!("mail for {domain} loops back to us")));
        }
        let candidates: Vec<Candidate> = others
            .into_iter()
            .flat_map(|(host, addresses)| self.candidates(&host.name, addresses))
            .take(self.max_candidates)
            .collect();
        match (candidates.is_empty(), first_failure) {
            (false, _) => Ok(candidates),
            (true, Some((host, failure))) => Err(no_address(domain, &host, &failure, implicit)),
            (true, None) => {
                let text = format!("{domain} has no address we may use");
                Err(NoRoute {
                    verdict: Verdict::Deferred,
                    reply: own_reply(None, EnhancedCode(4, 4, 4), &text),
                })
            }
        }
    }

    /// The addresses of one host, for a smarthost.
    ///
    /// # Errors
    /// [`NoRoute`], always deferred: what is wrong is our own setting or the network.
    pub async fn host(&self, host: &str, port: u16) -> Result<Vec<Candidate>, NoRoute> {
        let located = match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![address]),
            Err(_) => self.locate(host).await,
        };
        let defer = |text: String| NoRoute {
            verdict: Verdict::Deferred,
            reply: own_reply(None, EnhancedCode(4, 4, 3), &text),
        };
        let addresses = located.map_err(|failure| defer(format!("address of {host}: {failure}")))?;
        let candidates: Vec<Candidate> = self
            .candidates(host, addresses)
            .map(|candidate| Candidate {
                address: SocketAddr::new(candidate.address.ip(), port),
                ..candidate
            })
            .take(self.max_candidates)
            .collect();
        if candidates.is_empty() {
            Err(defer(format!("{host} has no address we may use")))
        } else {
            Ok(candidates)
        }
    }

    fn literal(&self, domain: &Domain, address: IpAddr) -> Result<Vec<Candidate>, NoRoute> {
        if self.own.addresses.contains(&address) {
            return Err(refuse(EnhancedCode(5, 4, 6), &format!("mail for {domain} loops back to us")));
        }
        Ok(vec![Candidate { host: address.to_string(), address: SocketAddr::new(address, self.port) }])
    }

    fn is_us(&self, host: &str, addresses: &[IpAddr]) -> bool {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        self.own.hosts.contains(&name) || addresses.iter().any(|address| self.own.addresses.contains(address))
    }

    async fn locate(&self, host: &str) -> Result<Vec<IpAddr>, LookupFailure> {
        let (want_v6, want_v4) = (self.family != AddressFamily::Ipv4, self.family != AddressFamily::Ipv6);
        let (six, four) = futures_util::join!(
            async { if want_v6 { self.dns.ipv6(host).await } else { Err(LookupFailure::NoRecords) } },
            async { if want_v4 { self.dns.ipv4(host).await } else { Err(LookupFailure::NoRecords) } },
        );
        let found = |answer: &Result<Vec<IpAddr>, _>| answer.as_ref().is_ok_and(|found| !found.is_empty());
        if !found(&six) && !found(&four) {
            // A failure that may pass says more than one that says "none".
            let failures = [six.err(), four.err()].into_iter().flatten();
            return Err(failures.max_by_key(LookupFailure::is_temporary).unwrap_or(LookupFailure::NoRecords));
        }
        let (mut six, mut four) = (six.unwrap_or_default(), four.unwrap_or_default());
        six.shuffle(&mut rand::rng());
        four.shuffle(&mut rand::rng());
        Ok(mx::in_turn(six, four))
    }

    fn candidates(&self, host: &str, addresses: Vec<IpAddr>) -> impl Iterator<Item = Candidate> + use<> {
        let (host, port) = (host.trim_end_matches('.').to_owned(), self.port);
        addresses
            .into_iter()
            .map(move |ip| Candidate { host: host.clone(), address: SocketAddr::new(ip, port) })
    }
}

fn refuse(enhanced: EnhancedCode, text: &str) -> NoRoute {
    NoRoute { verdict: Verdict::Failed, reply: own_reply(None, enhanced, text) }
}

fn lookup_failed(name: &str, failure: &LookupFailure) -> NoRoute {
    match failure {
        LookupFailure::NoDomain => refuse(EnhancedCode(5, 1, 2), &format!("domain {name} does not exist")),
        LookupFailure::NoRecords | LookupFailure::Temporary(_) => NoRoute {
            verdict: Verdict::Deferred,
            reply: own_reply(None, EnhancedCode(4, 4, 3), &format!("lookup of {name}: {failure}")),
        },
    }
}

/// No server has an address. With MX records that is the domain owner's mistake, likely to be mended: it is tried again
/// until the message expires. Without any, the domain takes no mail at all.
fn no_address(domain: &Domain, host: &str, failure: &LookupFailure, implicit: bool) -> NoRoute {
    match failure {
        LookupFailure::NoDomain | LookupFailure::NoRecords if implicit => {
            refuse(EnhancedCode(5, 1, 2), &format!("{domain} has neither MX nor address records"))
        }
        LookupFailure::NoDomain | LookupFailure::NoRecords | LookupFailure::Temporary(_) => NoRoute {
            verdict: Verdict::Deferred,
            reply: own_reply(None, EnhancedCode(4, 4, 3), &format!("address of {host}: {failure}")),
        },
    }
}
