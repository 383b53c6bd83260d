//! A DNS server on loopback that knows the domains of this machine's platforms and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, AAAA, MX, SOA};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// Answers live this long, in seconds.
const TTL: u32 = 5;

/// Closes idle TCP questions.
const TCP_TIMEOUT: Duration = Duration::from_secs(5);

/// A domain with its mail exchangers.
#[derive(Debug, Clone)]
pub struct Zone {
    /// The domain.
    pub domain: String,
    /// Mail exchangers: preference, host name inside or outside the domain, and its address when inside.
    pub exchangers: Vec<(u16, String, Option<IpAddr>)>,
}

/// The running server; it ends when dropped.
pub struct DnsServer {
    address: SocketAddr,
    server: Server<Catalog>,
}

impl DnsServer {
    /// Serves the zones on an address, UDP and TCP on the same port.
    ///
    /// # Errors
    /// The address cannot be bound, or a name is none.
    pub async fn start(address: IpAddr, zones: &[Zone]) -> anyhow::Result<Self> {
        let mut catalog = Catalog::new();
        for zone in zones {
            let origin = name(&zone.domain)?;
            catalog.upsert(LowerName::new(&origin), vec![Arc::new(handler(zone, &origin)?)]);
        }
        let (udp, tcp) = bind(address).await?;
        let address = udp.local_addr()?;
        let mut server = Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, TCP_TIMEOUT, 16);
        Ok(Self { address, server })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.server.shutdown_token().cancel();
    }
}

impl std::fmt::Debug for DnsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnsServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A port that is free for both transports.
#[expect(clippy::disallowed_methods, reason = "a name server takes no connections of the product")]
async fn bind(address: IpAddr) -> anyhow::Result<(UdpSocket, TcpListener)> {
    for _ in 0..20 {
        let tcp = TcpListener::bind((address, 0))
            .await
            .with_context(|| format!("cannot bind a name server on {address}"))?;
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr()?).await {
            return Ok((udp, tcp));
        }
    }
    Err(anyhow!("no port on {address} is free for both UDP and TCP"))
}

fn handler(zone: &Zone, origin: &Name) -> anyhow::Result<InMemoryZoneHandler> {
    let mut handler = InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
    let mut add = |name: Name, data| handler.upsert_mut(Record::from_rdata(name, TTL, data), 1);
    let host = Name::from_str("ns")?.append_domain(origin)?;
    add(origin.clone(), RData::SOA(SOA::new(host.clone(), host, 1, 3600, 600, 86400, TTL)));
    for (preference, exchanger, address) in &zone.exchangers {
        let exchanger = name(exchanger)?;
        add(origin.clone(), RData::MX(MX::new(*preference, exchanger.clone())));
        match address {
            Some(IpAddr::V4(address)) => _ = add(exchanger, RData::A(A(*address))),
            Some(IpAddr::V6(address)) => _ = add(exchanger, RData::AAAA(AAAA(*address))),
            None => {}
        }
    }
    Ok(handler)
}

fn name(text: &str) -> anyhow::Result<Name> {
    let mut name = Name::from_str(text).with_context(|| format!("{text} is no domain name"))?;
    name.set_fqdn(true);
    Ok(name)
}
