//! The language of transcripts, one step a line:
//!
//! - `C: line`: the client sends the line; adjacent ones go in one write (pipelining)
//! - `C= text`: the client sends exactly this, with `\r`, `\n`, `\0` and `\\` as escapes
//! - `C* 51 line`: the client sends the line so many times
//! - `S: line`: the server answers this line; `*` stands for any text
//! - `S~`: the server says nothing for a moment
//! - `EOF`: the server closes
//! - `TLS`: the client turns to TLS
//! - `NEW`: the client hangs up and connects again
//! - `@role`, `@set key = value`, `@budget n`: before the first line; messages per hour is the budget
//! - `@store`, `@queue` with `ok`, `away`, `lost`, `never`; `@directory ok|away`; `@disable alice`
//! - `@delivered n`, `@queued n`: what mailstore and the queue were given so far
//! - `@text ...`, `@no-text ...`: the last message they were given holds, or does not hold, this
//! - `@eight-bit true|false`: what the queue was told about the body
//! - `@trace text`: the trace that the queue was told to continue begins so; `@other-trace text`: does not
//! - `@quota bob bytes`, `@pass milliseconds`, `@drain`, and `@drained`, which must not take long

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use staffetta_chassis::net::Connection;
use staffetta_chassis::process::{Context, Service as _};
use staffetta_chassis::tls::{TlsClient, TlsServerConfig};
use staffetta_directory_api::memory::{MemoryDirectory, MemorySettings};
use staffetta_directory_api::{AccountState, AccountUpdate, Administration as _, Quota, SendingBudget};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::app::{SmtpIngress, rates};
use crate::config::{Config, IngressListener, Role};
use crate::fakes::{Backend, Fault, Recorded};

const PATIENCE: Duration = Duration::from_secs(20);
/// Well below the budget of a drain, well above what stopping takes.
const SOON: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_millis(150);
const BUDGET: Duration = Duration::from_secs(20);

/// A parsed file.
pub(super) struct Transcript {
    name: String,
    role: Role,
    settings: BTreeMap<String, String>,
    budget: u32,
    steps: Vec<(usize, Step)>,
}

enum Step {
    Send(Vec<u8>),
    Expect(String),
    Silence,
    Eof,
    Tls,
    New,
    Do(String),
}

impl Transcript {
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let mut transcript = Self {
            name: name.to_owned(),
            role: Role::Mx,
            settings: BTreeMap::new(),
            budget: 0,
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            transcript.line(index + 1, line);
        }
        transcript
    }

    fn line(&mut self, number: usize, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let step = match kind {
            "" | "#" => return,
            "C:" => return self.send(number, format!("{rest}\r\n").as_bytes()),
            "C=" => return self.send(number, unescape(rest).as_bytes()),
            "C*" => {
                let (count, line) = rest.split_once(' ').unwrap();
                return self.send(number, format!("{line}\r\n").repeat(count.parse().unwrap()).as_bytes());
            }
            "@role" => {
                self.role = match rest {
                    "submission" => Role::Submission,
                    "submissions" => Role::Submissions,
                    _ => Role::Mx,
                };
                return;
            }
            "@set" => {
                let (key, value) = rest.split_once(" = ").unwrap();
                let key = format!("STAFFETTA__{}", key.replace('.', "__").to_uppercase());
                self.settings.insert(key, value.to_owned());
                return;
            }
            "@budget" => {
                self.budget = rest.parse().unwrap();
                return;
            }
            "S:" => Step::Expect(rest.to_owned()),
            "S~" => Step::Silence,
            "EOF" => Step::Eof,
            "TLS" => Step::Tls,
            "NEW" => Step::New,
            _ if line.starts_with('@') => Step::Do(line[1..].to_owned()),
            _ => panic!("{}:{number}: what is {line:?}?", self.name),
        };
        self.steps.push((number, step));
    }

    fn send(&mut self, number: usize, octets: &[u8]) {
        if let Some((_, Step::Send(group))) = self.steps.last_mut() {
            group.extend_from_slice(octets);
        } else {
            self.steps.push((number, Step::Send(octets.to_vec())));
        }
    }

    pub(super) async fn play(&self) {
        let mut stage = Stage::open(self).await;
        for (number, step) in &self.steps {
            let place = format!("{}.txt:{number}", self.name);
            match step {
                Step::Send(octets) => stage.client.send(octets).await,
                Step::Expect(pattern) => stage.client.expect(pattern, &place).await,
                Step::Silence => stage.client.silence(&place).await,
                Step::Eof => stage.client.eof(&place).await,
                Step::Tls => stage.client.start_tls().await,
                Step::New => stage.client = Client::connect(stage.address, self.role).await,
                Step::Do(order) => stage.order(order, &place).await,
            }
        }
    }
}

/// The ingress, what is behind it, and one client.
struct Stage {
    backend: Backend,
    service: Option<SmtpIngress>,
    address: SocketAddr,
    client: Client,
    _certificates: TempDir,
}

impl Stage {
    async fn open(transcript: &Transcript) -> Self {
        let context = Context::for_tests();
        let budget = SendingBudget {
            messages_per_hour: transcript.budget,
            messages_per_day: 0,
            recipients_per_hour: 0,
            recipients_per_day: 0,
        };
        let directory = MemoryDirectory::with_settings(
            context.clock.clone(),
            MemorySettings { budget, token_life: Duration::from_secs(2), ..MemorySettings::default() },
        );
        for address in ["alice@north.test", "bob@north.test", "postmaster@north.test"] {
            directory.add_account(address, "secret");
        }
        directory.add_alias("team@north.test", &["alice@north.test", "bob@north.test"]);
        directory.add_domain("empty.test");
        let backend = Backend::new(&context.clock, directory);
        let certificates = certificates();
        let mut config: Config =
            staffetta_chassis::config::parse(crate::config::tests::SMALLEST, transcript.settings.clone())
                .unwrap();
        config.tls = Some(TlsServerConfig::in_directory(certificates.path()));
        let listen = config.listeners[0].listen.clone();
        config.listeners = vec![IngressListener { name: None, role: transcript.role, listen }];
        let rates = rates(&config.rates, None, &context.clock).unwrap();
        let service = SmtpIngress::start_with(config, backend.ports(rates), &context).unwrap();
        let address = service.endpoints()[0].1;
        let client = Client::connect(address, transcript.role).await;
        Self { backend, service: Some(service), address, client, _certificates: certificates }
    }

    fn given(&self) -> Recorded {
        let (delivered, queued) = (self.backend.delivered(), self.backend.queued());
        queued.last().or_else(|| delivered.last()).expect("a message was given").clone()
    }

    async fn order(&mut self, order: &str, place: &str) {
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        match verb {
            "store" => self.backend.store.faults.always(fault(rest)),
            "queue" => self.backend.queue.faults.always(fault(rest)),
            "directory" => self.backend.away.store(rest == "away", Ordering::SeqCst),
            "delivered" => assert_eq!(self.backend.delivered().len().to_string(), rest, "{place}"),
            "queued" => assert_eq!(self.backend.queued().len().to_string(), rest, "{place}"),
            "text" => {
                let text = self.given().text;
                assert!(text.contains(&unescape(rest)), "{place}: {text}");
            }
            "eight-bit" => assert_eq!(self.given().eight_bit.to_string(), rest, "{place}"),
            "trace" => {
                let trace = self.given().traceparent.unwrap_or_default();
                assert!(trace.starts_with(rest) && trace.len() == 55, "{place}: {trace}");
            }
            "other-trace" => {
                let trace = self.given().traceparent.unwrap_or_default();
                assert!(!trace.starts_with(rest), "{place}: {trace}");
            }
            "no-text" => {
                let text = self.given().text;
                assert!(!text.contains(&unescape(rest)), "{place}: {text}");
            }
            "quota" => {
                let (name, bytes) = rest.split_once(' ').unwrap();
                let quota = Quota { bytes: bytes.parse().unwrap(), messages: 0 };
                let update = AccountUpdate { quota: Some(quota), ..AccountUpdate::default() };
                let address = format!("{name}@north.test").parse().unwrap();
                self.backend.directory.update_account(&address, update).await.unwrap();
            }
            "disable" => {
                let address = format!("{rest}@north.test").parse().unwrap();
                let account = self.backend.directory.account(&address).await.unwrap().id;
                self.backend.directory.set_state(account, AccountState::Disabled);
            }
            "pass" => tokio::time::sleep(Duration::from_millis(rest.parse().unwrap())).await,
            "drained" => {
                let draining = self.service.take().expect("one drain").drain(BUDGET);
                timeout(SOON, draining).await.unwrap_or_else(|_| panic!("{place}: still draining"));
            }
            "drain" => {
                tokio::spawn(self.service.take().expect("one drain").drain(BUDGET));
            }
            other => panic!("{place}: what is @{other}?"),
        }
    }
}

fn fault(name: &str) -> Option<Fault> {
    match name {
        "away" => Some(Fault::Away),
        "lost" => Some(Fault::AnswerLost),
        "never" => Some(Fault::Never),
        _ => None,
    }
}

fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["mx.north.test".to_owned()]).unwrap();
    std::fs::write(folder.path().join("mx.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("mx.key"), made.signing_key.serialize_pem()).unwrap();
    folder
}

struct Client {
    connection: Option<Connection>,
    input: BytesMut,
}

impl Client {
    async fn connect(address: SocketAddr, role: Role) -> Self {
        let connection = Connection::connect(address, None, PATIENCE).await.unwrap();
        let mut client = Self { connection: Some(connection), input: BytesMut::new() };
        if role == Role::Submissions {
            client.start_tls().await;
        }
        client
    }

    async fn start_tls(&mut self) {
        assert!(self.input.is_empty(), "the server spoke before the handshake: {:?}", self.input);
        let tls = TlsClient::opportunistic(PATIENCE).unwrap();
        let connection = self.connection.take().unwrap();
        self.connection = Some(connection.start_tls_to(&tls, "mx.north.test").await.unwrap());
    }

    async fn send(&mut self, octets: &[u8]) {
        let connection = self.connection.as_mut().unwrap();
        connection.write_all(octets).await.unwrap();
        connection.flush().await.unwrap();
    }

    async fn read(&mut self, place: &str) -> bool {
        let connection = self.connection.as_mut().unwrap();
        let read = timeout(PATIENCE, connection.read_buf(&mut self.input)).await;
        read.unwrap_or_else(|_| panic!("{place}: the server says nothing")).unwrap_or(0) > 0
    }

    async fn expect(&mut self, pattern: &str, place: &str) {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.input, b"\r\n") {
                break end;
            }
            assert!(self.read(place).await, "{place}: the server closed instead of {pattern:?}");
        };
        let line = self.input.split_to(end + 2);
        let line = std::str::from_utf8(&line[..end]).unwrap();
        assert!(matches(pattern, line), "{place}:\n expected {pattern:?}\n      got {line:?}");
    }

    async fn silence(&mut self, place: &str) {
        let connection = self.connection.as_mut().unwrap();
        let read = timeout(SILENCE, connection.read_buf(&mut self.input)).await;
        assert!(read.is_err() && self.input.is_empty(), "{place}: the server said {:?}", self.input);
    }

    async fn eof(&mut self, place: &str) {
        while self.read(place).await {}
        assert!(self.input.is_empty(), "{place}: the server said {:?} before it closed", self.input);
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
        }),
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0")
}
