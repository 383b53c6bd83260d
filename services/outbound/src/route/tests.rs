//! Routing against a name server in process.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, SOA};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use staffetta_message::address::Domain;
use staffetta_outbound_api::Verdict;
use tokio::net::UdpSocket;

use super::hickory::{DnsConfig, HickoryDns};
use super::{AddressFamily, NoRoute, OwnNames, Router};

/// Serves the zone `test.`, so that names missing in it do not exist; other names are refused.
struct NameServer {
    address: SocketAddr,
    _server: Server<Catalog>,
}

impl NameServer {
    async fn start(records: &[(&str, RData)]) -> Self {
        let origin = name("test.");
        let mut zone: InMemoryZoneHandler =
            InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        let soa = SOA::new(name("ns.test."), name("ns.test."), 1, 3600, 600, 86400, 60);
        zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
        for (owner, data) in records {
            zone.upsert_mut(Record::from_rdata(name(owner), 60, data.clone()), 1);
        }
        let mut catalog = Catalog::new();
        catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone)]);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut server = Server::new(catalog);
        server.register_socket(socket);
        Self { address, _server: server }
    }

    fn router(&self) -> Router {
        router(self.address, OwnNames::default(), AddressFamily::Any)
    }
}

fn router(server: SocketAddr, own: OwnNames, family: AddressFamily) -> Router {
    let config = DnsConfig {
        servers: vec![server],
        timeout: Duration::from_millis(300),
        attempts: 1,
        ..DnsConfig::default()
    };
    Router::new(Arc::new(HickoryDns::new(&config).unwrap()), own, 2525, family, 5)
}

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, name(host)))
}

fn ip(text: &str) -> RData {
    match text.parse().unwrap() {
        IpAddr::V4(four) => RData::A(A(four)),
        IpAddr::V6(six) => RData::AAAA(AAAA(six)),
    }
}

async fn find(router: &Router, domain: &str) -> Result<Vec<String>, (Verdict, String)> {
    match router.exchangers(&Domain::parse(domain).unwrap()).await {
        Ok(found) => Ok(found.iter().map(|c| format!("{} {}", c.host, c.address)).collect()),
        Err(NoRoute { verdict, reply }) => Err((verdict, reply.enhanced)),
    }
}

fn failed(code: &str) -> Result<Vec<String>, (Verdict, String)> {
    Err((Verdict::Failed, code.to_owned()))
}

fn deferred(code: &str) -> Result<Vec<String>, (Verdict, String)> {
    Err((Verdict::Deferred, code.to_owned()))
}

#[tokio::test]
async fn exchangers_come_in_order_of_preference() {
    let server = NameServer::start(&[
        ("a.test.", mx(20, "second.test.")),
        ("a.test.", mx(10, "first.test.")),
        ("first.test.", ip("192.0.2.1")),
        ("first.test.", ip("2001:db8::1")),
        ("second.test.", ip("192.0.2.2")),
    ])
    .await;
    let expected =
        ["first.test [2001:db8::1]:2525", "first.test 192.0.2.1:2525", "second.test 192.0.2.2:2525"];
    assert_eq!(find(&server.router(), "a.test").await.unwrap(), expected);
    let four = router(server.address, OwnNames::default(), AddressFamily::Ipv4);
    assert_eq!(find(&four, "a.test").await.unwrap(), [expected[1], expected[2]]);
}

#[tokio::test]
async fn domain_without_mx_is_its_own_exchanger() {
    let server = NameServer::start(&[("a.test.", ip("192.0.2.1")), ("b.test.", ip("2001:db8::2"))]).await;
    assert_eq!(find(&server.router(), "a.test").await.unwrap(), ["a.test 192.0.2.1:2525"]);
    assert_eq!(find(&server.router(), "b.test").await.unwrap(), ["b.test [2001:db8::2]:2525"]);
}

#[tokio::test]
async fn rfc7505_null_mx_takes_no_mail_even_with_an_address() {
    let server = NameServer::start(&[("a.test.", mx(0, ".")), ("a.test.", ip("192.0.2.1"))]).await;
    assert_eq!(find(&server.router(), "a.test").await, failed("5.1.10"));
}

#[tokio::test]
async fn missing_domain_bounces() {
    let server = NameServer::start(&[(
        "txt.test.",
        RData::TXT(hickory_server::proto::rr::rdata::TXT::new(vec!["x".to_owned()])),
    )])
    .await;
    assert_eq!(find(&server.router(), "nowhere.test").await, failed("5.1.2"));
    assert_eq!(find(&server.router(), "txt.test").await, failed("5.1.2"), "neither MX nor address");
}

#[tokio::test]
async fn exchanger_without_an_address_is_waited_for() {
    let server = NameServer::start(&[("a.test.", mx(10, "gone.test."))]).await;
    assert_eq!(find(&server.router(), "a.test").await, deferred("4.4.3"));
}

#[tokio::test]
async fn name_server_that_cannot_tell_defers() {
    let server = NameServer::start(&[]).await;
    assert_eq!(find(&server.router(), "not.served.example").await, deferred("4.4.3"), "refused");
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let router = router(silent.local_addr().unwrap(), OwnNames::default(), AddressFamily::Any);
    assert_eq!(find(&router, "a.test").await, deferred("4.4.3"), "no answer");
}

#[tokio::test]
async fn one_broken_exchanger_leaves_the_others() {
    let server = NameServer::start(&[
        ("a.test.", mx(10, "host.elsewhere.example.")),
        ("a.test.", mx(20, "second.test.")),
        ("second.test.", ip("192.0.2.2")),
    ])
    .await;
    assert_eq!(find(&server.router(), "a.test").await.unwrap(), ["second.test 192.0.2.2:2525"]);
}

#[tokio::test]
async fn exchangers_behind_an_alias_are_found() {
    let server = NameServer::start(&[
        ("alias.test.", RData::CNAME(CNAME(name("a.test.")))),
        ("a.test.", mx(10, "mx.test.")),
        ("mx.test.", ip("192.0.2.1")),
    ])
    .await;
    assert_eq!(find(&server.router(), "alias.test").await.unwrap(), ["mx.test 192.0.2.1:2525"]);
}

#[tokio::test]
async fn mail_never_goes_to_ourselves_or_worse() {
    let server = NameServer::start(&[
        ("backup.test.", mx(10, "best.test.")),
        ("backup.test.", mx(20, "us.test.")),
        ("backup.test.", mx(30, "worse.test.")),
        ("only.test.", mx(10, "us.test.")),
        ("byip.test.", mx(10, "other-name.test.")),
        ("best.test.", ip("192.0.2.1")),
        ("us.test.", ip("192.0.2.9")),
        ("worse.test.", ip("192.0.2.3")),
        ("other-name.test.", ip("192.0.2.10")),
    ])
    .await;
    let own =
        OwnNames { hosts: ["us.test".to_owned()].into(), addresses: ["192.0.2.10".parse().unwrap()].into() };
    let router = router(server.address, own, AddressFamily::Any);
    assert_eq!(find(&router, "backup.test").await.unwrap(), ["best.test 192.0.2.1:2525"]);
    assert_eq!(find(&router, "only.test").await, failed("5.4.6"));
    assert_eq!(find(&router, "byip.test").await, failed("5.4.6"));
    assert_eq!(find(&router, "[192.0.2.10]").await, failed("5.4.6"));
}

#[tokio::test]
async fn address_literal_needs_no_lookup() {
    let router = router("127.0.0.1:9".parse().unwrap(), OwnNames::default(), AddressFamily::Any);
    assert_eq!(find(&router, "[192.0.2.7]").await.unwrap(), ["192.0.2.7 192.0.2.7:2525"]);
}
