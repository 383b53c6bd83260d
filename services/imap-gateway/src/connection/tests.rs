//! Transcripts: whole sessions as text files in `tests/transcripts`, run against the driver and the in-memory ports.
//!
//! `C:` sends a line, `C~:` sends octets without a line end (`\r`, `\n` and `\\` are escapes), `S:` expects a line (`...` matches
//! anything), `S-:` expects the end of the connection. `2C:`, `2S:` and so on are a second session of the same platform.
//! `!` lines change the world: `! fail`, `! recover`, `! drain`, `! forget` (the journal of expunges), `! advance SECONDS`.
//! Each transcript runs twice: written as it stands, and one octet at a time.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use staffetta_chassis::clock::{Clock, Manual};
use staffetta_chassis::drain::Drain;
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::memory::MemoryDirectory;
use staffetta_directory_api::{AccountId, ShardName};
use staffetta_mailstore_api::memory::MemoryMailstore;
use staffetta_mailstore_api::{Mailstore, MailstoreError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

use super::*;
use crate::login::{Sessions, Shard};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::watch::Hub;

/// A platform in memory with the accounts alice and bob.
struct World {
    acceptor: Acceptor,
    clock: Manual,
    store: MemoryMailstore,
    alice: AccountId,
    drain: Drain,
    tasks: Tasks,
}

impl World {
    fn new() -> Self {
        let clock = Manual::at_unix(1_700_000_000);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let directory = MemoryDirectory::new(Arc::clone(&shared));
        directory.add_domain("north.test");
        let alice = directory.add_account("alice@north.test", "secret");
        directory.add_account("bob@north.test", "hidden");
        let store = MemoryMailstore::new(Arc::clone(&shared));
        let tasks = Tasks::new();
        let mailstore: Arc<dyn Mailstore> = Arc::new(store.clone());
        let shard =
            Shard { store: Arc::clone(&mailstore), hub: Hub::start(mailstore, Arc::clone(&shared), &tasks) };
        let settings = Settings { max_per_account: 3, max_message_bytes: 100_000, ..Settings::default() };
        let gateway = Gateway {
            directory: Arc::new(directory),
            shards: HashMap::from([(ShardName::default(), shard)]),
            sessions: Arc::new(Sessions::default()),
            clock: shared,
            settings,
            metrics: Metrics::new(&Context::for_tests().meter),
        };
        let drain = Drain::new();
        let acceptor = Acceptor {
            gateway: Arc::new(gateway),
            tls: None,
            implicit_tls: false,
            plaintext_on_loopback: true,
            spool: SpoolBudget::new(&SpoolConfig::default()),
            draining: drain.watch(),
        };
        Self { acceptor, clock, store, alice, drain, tasks }
    }

    fn connect(&self, plaintext: bool) -> Client {
        let (client, server) = tokio::io::duplex(1 << 20);
        let acceptor = self.acceptor.clone();
        let at = ([127, 0, 0, 1], 4000).into();
        let transport = Transport { client: at, tls: false, can_start_tls: !plaintext, passwords: plaintext };
        self.tasks.spawn(async move {
            let stream = Driver::new(&acceptor, transport, server).run(true).await;
            if let Some(stream) = stream {
                // The handshake is left out: what matters is what is carried over.
                let transport = Transport { tls: true, can_start_tls: false, passwords: true, ..transport };
                Driver::new(&acceptor, transport, stream).run(false).await;
            }
        });
        let (reading, writing) = tokio::io::split(client);
        Client { reading: BufReader::new(reading), writing }
    }

    async fn change(&self, order: &str) {
        match order.split_once(' ').unwrap_or((order, "")) {
            ("fail", _) => {
                self.store.fail_with(Some(MailstoreError::Unavailable { message: "test".to_owned() }));
            }
            ("recover", _) => self.store.fail_with(None),
            ("drain", _) => self.drain.start(),
            ("forget", _) => self.store.forget_expunged(self.alice),
            ("advance", seconds) => self.clock.advance(Duration::from_secs(seconds.parse().unwrap())),
            (other, _) => panic!("no such order: {other}"),
        }
        tokio::task::yield_now().await;
    }
}

struct Client {
    reading: BufReader<ReadHalf<DuplexStream>>,
    writing: WriteHalf<DuplexStream>,
}

impl Client {
    async fn send(&mut self, octets: &[u8], by_octet: bool) {
        if by_octet {
            for octet in octets {
                self.writing.write_all(std::slice::from_ref(octet)).await.unwrap();
                tokio::task::yield_now().await;
            }
        } else {
            self.writing.write_all(octets).await.unwrap();
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.reading.read_until(b'\n', &mut line);
        let count =
            tokio::time::timeout(Duration::from_secs(10), read).await.expect("no line in time").unwrap();
        (count > 0).then(|| {
            let text = String::from_utf8_lossy(&line).into_owned();
            text.strip_suffix("\r\n").unwrap_or(&text).to_owned()
        })
    }
}

/// `...` matches anything; the pieces between must come in order.
fn matches(pattern: &str, line: &str) -> bool {
    let pieces: Vec<&str> = pattern.split("...").collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\\\", "\\").into_bytes()
}

async fn run(name: &str, transcript: &str, by_octet: bool) {
    let world = World::new();
    let plaintext = !transcript.starts_with("# without TLS");
    let mut clients: BTreeMap<String, Client> = BTreeMap::new();
    for (index, text) in transcript.lines().enumerate() {
        let at = || format!("{name}:{} (by octet: {by_octet})", index + 1);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(order) = text.strip_prefix("! ") {
            world.change(order).await;
            continue;
        }
        let (head, rest) = text.split_once(':').unwrap_or_else(|| panic!("{}: not understood", at()));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let (session, kind) =
            head.split_at(head.find(['C', 'S']).unwrap_or_else(|| panic!("{}: no side", at())));
        let client = clients.entry(session.to_owned()).or_insert_with(|| world.connect(plaintext));
        match kind {
            "C" => client.send(format!("{rest}\r\n").as_bytes(), by_octet).await,
            "C~" => client.send(&unescape(rest), by_octet).await,
            "S" => {
                let line =
                    client.line().await.unwrap_or_else(|| panic!("{}: closed instead of {rest}", at()));
                assert!(matches(rest, &line), "{}\nexpected {rest}\ngot      {line}", at());
            }
            "S-" => assert_eq!(client.line().await, None, "{}: still open", at()),
            other => panic!("{}: {other} not understood", at()),
        }
    }
    world.tasks.stop().await;
}

#[tokio::test]
async fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let transcript = std::fs::read_to_string(&file).unwrap();
        for by_octet in [false, true] {
            let (name, transcript) = (name.clone(), transcript.clone());
            // A task of its own, so that one failure does not hide the next.
            if tokio::spawn(async move { run(&name, &transcript, by_octet).await }).await.is_err() {
                failed.push((file.clone(), by_octet));
            }
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}
