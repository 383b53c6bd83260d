//! The SMTP client against a server on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use staffetta_chassis::clock::{Manual, System};
use staffetta_chassis::config::Secret;
use staffetta_chassis::spool::Spooled;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::tls::{TlsClient, TlsClientConfig};
use staffetta_message::address::Address;
use staffetta_outbound_api::{RecipientId, Verdict};

use super::peer::{DROP, Peer, STALL};
use crate::client::connect::{ConnectFailure, Connector};
use crate::client::connection::{Connection, Fence, SendError};
use crate::client::pool::{Pool, PoolConfig, PoolKey};
use crate::client::session::{Credentials, EightBitPolicy, Envelope, Hello, Outcome, TlsUse};
use crate::client::timeouts::Timeouts;

struct Open(AtomicBool);

#[async_trait]
impl Fence for Open {
    async fn confirm(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn connector(tls: TlsUse) -> Connector {
    Connector {
        hello: Hello { name: "out.north.test".to_owned(), tls, credentials: None },
        tls: TlsClient::opportunistic(Duration::from_secs(5)).unwrap(),
        implicit_tls: false,
        plaintext_fallback: true,
        sources: Vec::new(),
        timeouts: Timeouts::default(),
        clock: Arc::new(System),
    }
}

async fn open(connector: &Connector, peer: &Peer) -> Result<Connection, ConnectFailure> {
    connector.open("mx.south.test", peer.address).await
}

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |(index, text): (i32, &&str)| (RecipientId(index), Address::parse(text).unwrap());
    Envelope {
        sender: Some(Address::parse("a@north.test").unwrap()),
        recipients: (0..).zip(recipients).map(recipient).collect(),
        eight_bit: false,
        size: 30,
    }
}

fn body(text: &'static str) -> Spooled {
    Bytes::from_static(text.as_bytes()).into()
}

async fn send(connection: &mut Connection, recipients: &[&str], text: &'static str) -> Outcome {
    let fence = Open(AtomicBool::new(true));
    let sent = connection.send(&envelope(recipients), &body(text), EightBitPolicy::Bounce, &fence).await;
    sent.unwrap()
}

fn verdicts(outcome: &Outcome) -> Vec<(Verdict, Option<u16>)> {
    outcome.results.iter().map(|result| (result.verdict, result.reply.code)).collect()
}

#[tokio::test]
async fn message_arrives_byte_for_byte_with_dots() {
    let peer = Peer::start().await.offers(&["PIPELINING", "SIZE"]);
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let outcome = send(&mut connection, &["b@south.test"], "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n").await;
    assert_eq!(verdicts(&outcome), [(Verdict::Delivered, Some(250))]);
    let seen = peer.seen();
    assert_eq!(seen.bodies, ["Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n"]);
    let group = "MAIL FROM:<a@north.test> SIZE=30\r\nRCPT TO:<b@south.test>\r\nDATA\r\n";
    assert!(seen.reads.iter().any(|read| read == group), "commands come in one group: {:?}", seen.reads);
}

#[tokio::test]
async fn each_recipient_has_its_own_result() {
    let peer = Peer::start()
        .await
        .offers(&["PIPELINING"])
        .always("RCPT TO:<no@", "550 5.1.1 no such user")
        .always("RCPT TO:<later@", "450 4.2.0 greylisted");
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let recipients = ["no@south.test", "b@south.test", "later@south.test"];
    let outcome = send(&mut connection, &recipients, "x\r\n").await;
    let expected =
        [(Verdict::Failed, Some(550)), (Verdict::Delivered, Some(250)), (Verdict::Deferred, Some(450))];
    assert_eq!(verdicts(&outcome), expected);
}

#[tokio::test]
async fn starttls_is_taken_and_required_tls_verified() {
    let peer = Peer::start().await.offers(&["STARTTLS", "PIPELINING"]);
    let mut connection = open(&connector(TlsUse::Opportunistic), &peer).await.unwrap();
    assert!(connection.is_encrypted());
    send(&mut connection, &["b@south.test"], "x\r\n").await;
    assert_eq!(peer.seen().encrypted, 1);

    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &peer.certificate).unwrap();
    let config = TlsClientConfig { ca: Some(ca), ..TlsClientConfig::default() };
    let verifying = Connector { tls: TlsClient::load(&config).unwrap(), ..connector(TlsUse::Required) };
    assert!(open(&verifying, &peer).await.unwrap().is_encrypted());
    let wrong_name = verifying.open("other.test", peer.address).await.unwrap_err();
    assert_eq!(wrong_name.reply.enhanced, "4.7.5");
}

#[tokio::test]
async fn broken_optional_tls_falls_back_to_plain_text_if_allowed() {
    let peer = Peer::start().await.offers(&["STARTTLS"]).always("tls", DROP);
    let mut connection = open(&connector(TlsUse::Opportunistic), &peer).await.unwrap();
    assert!(!connection.is_encrypted());
    let outcome = send(&mut connection, &["b@south.test"], "x\r\n").await;
    assert_eq!(verdicts(&outcome), [(Verdict::Delivered, Some(250))]);
    assert_eq!(peer.seen().connections, 2);

    let strict = Connector { plaintext_fallback: false, ..connector(TlsUse::Opportunistic) };
    assert_eq!(open(&strict, &peer).await.unwrap_err().reply.enhanced, "4.7.5");
    assert_eq!(open(&connector(TlsUse::Required), &peer).await.unwrap_err().reply.enhanced, "4.7.5");
    assert_eq!(peer.seen().connections, 4, "neither tried again without");
}

#[tokio::test]
async fn credentials_travel_over_tls_only() {
    let login = Some(Credentials { username: "u".to_owned(), password: Secret::new("p") });
    let hello = Hello { credentials: login, ..connector(TlsUse::Required).hello };
    let with_login = Connector { hello, ..connector(TlsUse::Required) };
    let peer = Peer::start().await.offers(&["STARTTLS", "AUTH PLAIN"]);
    open(&with_login, &peer).await.unwrap();
    assert!(peer.seen().lines.iter().any(|line| line == "AUTH PLAIN AHUAcA=="), "{:?}", peer.seen().lines);
    let refusing = Peer::start().await.offers(&["STARTTLS", "AUTH PLAIN"]).always("AUTH", "535 5.7.8 no");
    assert_eq!(open(&with_login, &refusing).await.unwrap_err().reply.code, Some(535));
    let plain = Peer::start().await.offers(&["AUTH PLAIN"]);
    assert_eq!(open(&with_login, &plain).await.unwrap_err().reply.enhanced, "4.7.4");
    assert!(!plain.seen().lines.iter().any(|line| line.starts_with("AUTH")));
}

#[tokio::test]
async fn connection_lost_after_the_final_dot_is_deferred_as_unknown() {
    let peer = Peer::start().await.offers(&["PIPELINING"]).always(".", DROP);
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let outcome = send(&mut connection, &["b@south.test"], "x\r\n").await;
    assert_eq!(verdicts(&outcome), [(Verdict::Deferred, None)]);
    assert!(outcome.results[0].reply.text.contains("unknown"));
    assert!(outcome.lost.is_some() && outcome.undecided.is_empty());
}

#[tokio::test]
async fn replies_to_data_and_to_the_final_dot_count() {
    for (prefix, reply, verdict) in [
        ("DATA", "451 4.3.0 not now", Verdict::Deferred),
        ("DATA", "554 5.7.1 never", Verdict::Failed),
        (".", "452 4.2.2 full", Verdict::Deferred),
        (".", "554 5.6.0 spam", Verdict::Failed),
    ] {
        let peer = Peer::start().await.offers(&["PIPELINING"]).always(prefix, reply);
        let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
        let outcome = send(&mut connection, &["b@south.test"], "x\r\n").await;
        assert_eq!(outcome.results[0].verdict, verdict, "{prefix} {reply}");
        assert!(outcome.lost.is_none(), "the connection is still good");
    }
}

#[tokio::test]
async fn connection_takes_one_message_after_the_other() {
    let peer = Peer::start().await.once("RCPT", "550 5.1.1 no");
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let refused = send(&mut connection, &["no@south.test"], "one\r\n").await;
    assert_eq!(verdicts(&refused), [(Verdict::Failed, Some(550))]);
    let second = send(&mut connection, &["b@south.test"], "two\r\n").await;
    assert_eq!(verdicts(&second), [(Verdict::Delivered, Some(250))]);
    connection.quit().await;
    let seen = peer.until(|seen| seen.lines.iter().any(|line| line == "QUIT")).await;
    assert_eq!((seen.connections, seen.bodies), (1, vec!["two\r\n".to_owned()]));
    assert!(seen.lines.iter().any(|line| line == "RSET"));
}

#[tokio::test]
async fn lost_lease_stops_before_the_final_dot() {
    let peer = Peer::start().await.offers(&["PIPELINING"]);
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let fence = Open(AtomicBool::new(false));
    let envelope = envelope(&["b@south.test"]);
    let sent = connection.send(&envelope, &body("x\r\n"), EightBitPolicy::Bounce, &fence).await;
    assert!(matches!(sent, Err(SendError::LeaseLost)));
    drop(connection);
    let seen = peer.until(|seen| seen.reads.last().is_some_and(String::is_empty)).await;
    assert!(seen.bodies.is_empty(), "the server never saw a whole message");
}

#[tokio::test]
async fn silent_server_runs_into_the_limit_of_its_phase() {
    let timeouts = Timeouts { greeting: Duration::from_millis(50), ..Timeouts::default() };
    let peer = Peer::start().await.always("greeting", STALL);
    let failure = open(&Connector { timeouts, ..connector(TlsUse::Off) }, &peer).await.unwrap_err();
    assert!(failure.reply.text.contains("does not answer"), "{:?}", failure.reply);

    let timeouts = Timeouts { recipient: Duration::from_millis(50), ..Timeouts::default() };
    let peer = Peer::start().await.always("RCPT", STALL);
    let mut connection = open(&Connector { timeouts, ..connector(TlsUse::Off) }, &peer).await.unwrap();
    let outcome = send(&mut connection, &["b@south.test"], "x\r\n").await;
    assert_eq!(outcome.undecided, [RecipientId(0)]);
}

#[tokio::test]
async fn rfc5321_3_8_421_leaves_recipients_to_another_host() {
    let peer = Peer::start().await.offers(&["PIPELINING"]).always("MAIL", "421 4.3.2 shutting down");
    let mut connection = open(&connector(TlsUse::Off), &peer).await.unwrap();
    let outcome = send(&mut connection, &["b@south.test"], "x\r\n").await;
    assert_eq!(outcome.lost.unwrap().code, Some(421));
    assert_eq!(outcome.undecided, [RecipientId(0)]);
}

#[tokio::test]
async fn waiting_connections_are_closed_in_time_with_a_goodbye() {
    let (peer, clock) = (Peer::start().await, Manual::at_unix(0));
    let pool = Pool::new(PoolConfig::default(), Arc::new(clock.clone()), Tasks::new());
    let key = PoolKey { host: "mx.south.test".to_owned(), address: peer.address, route: Arc::from("mx") };
    let connector = Connector { clock: Arc::new(clock.clone()), ..connector(TlsUse::Off) };
    pool.put(key.clone(), open(&connector, &peer).await.unwrap());
    clock.advance(Duration::from_secs(9));
    let waited = pool.take(&key).expect("it may wait for ten seconds");
    pool.put(key.clone(), waited);
    let sweeper = tokio::spawn({
        let pool = pool.clone();
        async move { pool.sweep().await }
    });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(11));
    peer.until(|seen| seen.lines.iter().any(|line| line == "QUIT")).await;
    assert!(pool.take(&key).is_none());
    sweeper.abort();
}

#[tokio::test]
async fn connections_to_one_address_are_limited() {
    let config = PoolConfig { per_address: 1, ..PoolConfig::default() };
    let pool = Pool::new(config, Arc::new(System), Tasks::new());
    let address = "192.0.2.1:25".parse().unwrap();
    let first = pool.slot(address, Duration::ZERO).await;
    assert!(first.is_some());
    assert!(pool.slot(address, Duration::ZERO).await.is_none());
    assert!(pool.slot("192.0.2.2:25".parse().unwrap(), Duration::ZERO).await.is_some());
    drop(first);
    assert!(pool.slot(address, Duration::ZERO).await.is_some());
}
