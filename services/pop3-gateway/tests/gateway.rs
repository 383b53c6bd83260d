//! The whole gateway on real sockets with real TLS, over the in-memory directory and mailstore.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use staffetta_chassis::Service;
use staffetta_chassis::net::Connection;
use staffetta_chassis::process::Context;
use staffetta_chassis::tls::{TlsClient, TlsClientConfig};
use staffetta_directory_api::memory::MemoryDirectory;
use staffetta_directory_api::{Authentication, LoginRequest, Scope, Scopes};
use staffetta_mailstore_api::{
    Access, AppendRequest, Delivery, Flags, IdempotencyKey, MailboxName, Maildrops, MemoryMailstore, ShardMap,
};
use staffetta_pop3_gateway::app::Ports;
use staffetta_pop3_gateway::{Config, Pop3Gateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

const ALICE: &str = "alice@north.test";

struct Platform {
    gateway: Pop3Gateway,
    directory: MemoryDirectory,
    store: MemoryMailstore,
    tls: TlsClient,
    _folder: tempfile::TempDir,
}

impl Platform {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["pop3.north.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("north.crt"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("north.key"), key.serialize_pem()).unwrap();
        let text = format!(
            "directory.target = 'dns://localhost:1'\nshards.main.target = 'dns://localhost:1'\n\
             tls.directory = '{}'\n\
             listeners = [{{ role = 'pop3', listen.address = '127.0.0.1:0' }},\n\
                          {{ role = 'pop3s', listen.address = '127.0.0.1:0' }}]\n",
            folder.path().display()
        );
        let config: Config = staffetta_chassis::config::parse(&text, []).unwrap();
        let context = Context::for_tests();
        let directory = MemoryDirectory::new(Arc::clone(&context.clock));
        directory.add_account(ALICE, "secret");
        let store = MemoryMailstore::new(Arc::clone(&context.clock));
        let ports = Ports {
            authentication: Arc::new(directory.clone()),
            shards: Arc::new(ShardMap::single(Arc::new(store.clone()))),
        };
        let gateway = Pop3Gateway::start_with(&config, ports, &context).unwrap();
        let ca = Some(folder.path().join("north.crt"));
        let tls = TlsClient::load(&TlsClientConfig { ca, ..TlsClientConfig::default() }).unwrap();
        Self { gateway, directory, store, tls, _folder: folder }
    }

    fn address(&self, listener: &str) -> SocketAddr {
        self.gateway.endpoints().into_iter().find(|(name, _)| name == listener).unwrap().1
    }

    async fn access(&self) -> Access {
        let request = LoginRequest {
            login: ALICE.to_owned(),
            password: "secret".to_owned().into(),
            scopes: Scopes::from(Scope::Imap),
            client: [127, 0, 0, 1].into(),
        };
        Access::from(&self.directory.login(request).await.unwrap())
    }

    async fn deliver(&self, message: &[u8]) {
        let request = AppendRequest {
            key: IdempotencyKey(Uuid::new_v4()),
            mailbox: MailboxName::inbox(),
            flags: Flags::default(),
            received_at: None,
            body: Bytes::copy_from_slice(message).into(),
        };
        self.store.append(&self.access().await, request).await.unwrap();
    }

    async fn connect(&self, listener: &str) -> Client {
        let plain = Connection::connect(self.address(listener), None, Duration::from_secs(5)).await.unwrap();
        let connection = if listener == "pop3s" {
            plain.start_tls_to(&self.tls, "pop3.north.test").await.unwrap()
        } else {
            plain
        };
        let mut client = Client { connection };
        assert_eq!(client.line().await, "+OK Staffetta POP3 ready");
        client
    }
}

struct Client {
    connection: Connection,
}

impl Client {
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match self.connection.read_u8().await {
                Ok(octet) => line.push(octet),
                Err(_) => return format!("(closed after {line:?})"),
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    async fn ask(&mut self, command: &str) -> String {
        self.connection.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        self.connection.flush().await.unwrap();
        self.line().await
    }

    async fn login(&mut self) -> String {
        assert!(self.ask(&format!("USER {ALICE}")).await.starts_with("+OK"));
        self.ask("PASS secret").await
    }

    async fn stls(mut self, platform: &Platform) -> Self {
        assert_eq!(self.ask("STLS").await, "+OK begin TLS negotiation");
        Self { connection: self.connection.start_tls_to(&platform.tls, "pop3.north.test").await.unwrap() }
    }

    /// A multi-line response behind its status line, unstuffed.
    async fn message(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while !(wire.ends_with(b"\r\n.\r\n") || wire == b".\r\n") {
            assert!(self.connection.read_buf(&mut wire).await.unwrap() > 0, "closed in a message");
        }
        wire.truncate(wire.len() - 3);
        let lines = wire.split_inclusive(|b| *b == b'\n');
        lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
    }
}

#[tokio::test]
async fn large_message_arrives_byte_exact_over_both_kinds_of_tls() {
    let platform = Platform::start();
    let body: String = (0..60_000)
        .map(|n| format!("{}line {n} {}\r\n", [".", "", "x"][n % 3], "y".repeat(n % 70)))
        .collect();
    let message = format!("Subject: large\r\n\r\n{body}");
    platform.deliver(message.as_bytes()).await;
    for listener in ["pop3s", "pop3"] {
        let mut client = platform.connect(listener).await;
        if listener == "pop3" {
            assert!(client.ask(&format!("USER {ALICE}")).await.starts_with("-ERR"));
            client = client.stls(&platform).await;
        }
        assert_eq!(client.login().await, format!("+OK maildrop has 1 messages ({} octets)", message.len()));
        assert_eq!(client.ask("RETR 1").await, format!("+OK {} octets", message.len()));
        assert!(client.message().await == message.as_bytes());
        assert!(client.ask("TOP 1 1000").await.starts_with("+OK"));
        let top = client.message().await;
        assert_eq!(top.iter().filter(|b| **b == b'\n').count(), 1002);
        assert!(message.as_bytes().starts_with(&top));
        assert_eq!(client.ask("QUIT").await, "+OK bye");
    }
}

#[tokio::test]
async fn octets_sent_behind_stls_do_not_survive_the_handshake() {
    let platform = Platform::start();
    let mut client = platform.connect("pop3").await;
    client.connection.write_all(b"STLS\r\nCAPA\r\n").await.unwrap();
    assert_eq!(client.line().await, "+OK begin TLS negotiation");
    let connection = client.connection.start_tls_to(&platform.tls, "pop3.north.test").await.unwrap();
    let mut client = Client { connection };
    assert_eq!(client.ask("NOOP").await, "-ERR log in first");
}

#[tokio::test]
async fn drain_tells_clients_and_gives_the_leases_back() {
    let platform = Platform::start();
    platform.deliver(b"Subject: x\r\n\r\n").await;
    let mut active = platform.connect("pop3s").await;
    assert!(active.login().await.starts_with("+OK"));
    assert!(active.ask("DELE 1").await.starts_with("+OK"));
    let (access, store, address) =
        (platform.access().await, platform.store.clone(), platform.address("pop3"));
    let draining = tokio::spawn(platform.gateway.drain(Duration::from_secs(30)));
    while Connection::connect(address, None, Duration::from_secs(5)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(active.ask("STAT").await, "-ERR [SYS/TEMP] server is going down, connect again");
    draining.await.unwrap();
    let maildrop = store.open_maildrop(&access).await.unwrap();
    assert_eq!(maildrop.messages.len(), 1);
}

#[test]
fn settings_are_checked_by_name() {
    let parse = |text: &str| {
        let head = "directory.target = 'dns://d:1'\nshards.main.target = 'dns://m:1'\n";
        let text = format!("{head}{text}");
        staffetta_chassis::config::parse::<Config>(&text, []).map(|_| ()).map_err(|error| error.to_string())
    };
    let plain = "listeners = [{ role = 'pop3', listen.address = '127.0.0.1:0' }]\n";
    assert_eq!(parse(plain), Ok(()));
    assert!(parse("listeners = []").unwrap_err().starts_with("listeners: "));
    let secure = "listeners = [{ role = 'pop3s', listen.address = '127.0.0.1:0' }]\n";
    assert_eq!(parse(secure).unwrap_err(), "tls: the role pop3s needs certificates");
    assert!(
        parse(&format!("{plain}limits.command_line = 100")).unwrap_err().starts_with("limits.command_line: ")
    );
    assert!(parse(&format!("{plain}timeouts.idle = '5m'")).unwrap_err().starts_with("timeouts.idle: "));
    assert!(parse(&format!("{plain}auth.plaintext = 'always'")).is_err());
}
