//! What is around the sessions of a transcript: a directory with two accounts, a mailstore, a clock that is moved by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use staffetta_chassis::clock::{Clock, Manual};
use staffetta_chassis::drain::Drain;
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::memory::MemoryDirectory;
use staffetta_directory_api::{AccountId, AccountState, Authentication, LoginRequest, Scope, Scopes};
use staffetta_mailstore_api::{
    Access, AppendRequest, Delivery, ExpungeRequest, Flags, FlagsOperation, IdempotencyKey, MailboxName,
    Mailboxes, MailstoreError, MemoryMailstore, Messages, ShardMap, StoreRequest, SystemFlag, Uid, UidSet,
};
use staffetta_pop3_gateway::config::{LimitsConfig, Role, TimeoutsConfig};
use staffetta_pop3_gateway::connection::{self, Origin, Signals};
use staffetta_pop3_gateway::metrics::Metrics;
use staffetta_pop3_gateway::services::{Services, Sessions};
use uuid::Uuid;

use crate::pipe::{Client, pipe};

/// UIDVALIDITY of INBOX follows from it.
const START: u64 = 1_700_000_000;
/// The password of every account.
const PASSWORD: &str = "secret";

pub(crate) struct Surroundings {
    clock: Manual,
    directory: MemoryDirectory,
    store: MemoryMailstore,
    services: Arc<Services>,
    drain: Drain,
    closing: Drain,
    accounts: BTreeMap<String, AccountId>,
}

impl Surroundings {
    pub(crate) fn new() -> Self {
        let clock = Manual::at_unix(START);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let directory = MemoryDirectory::new(Arc::clone(&shared));
        let accounts = ["alice@north.test", "bob@north.test"]
            .map(|address| (address.to_owned(), directory.add_account(address, PASSWORD)));
        let store = MemoryMailstore::new(Arc::clone(&shared));
        let services = Arc::new(Services {
            authentication: Arc::new(directory.clone()),
            shards: Arc::new(ShardMap::single(Arc::new(store.clone()))),
            clock: shared,
            limits: LimitsConfig::default(),
            timeouts: TimeoutsConfig::default(),
            metrics: Metrics::new(&Context::for_tests().meter),
            tasks: Tasks::new(),
            sessions: Arc::new(Sessions::default()),
        });
        let accounts = accounts.into();
        Self { clock, directory, store, services, drain: Drain::new(), closing: Drain::new(), accounts }
    }

    /// Starts a session. `how`: `secure` (TLS is on), `stls` (possible), `plain` (not), `loopback` (passwords anyway).
    pub(crate) fn connect(&self, how: &str) -> Client {
        let (secure, offers_tls, trusted) = match how {
            "secure" => (true, false, false),
            "stls" => (false, true, false),
            "plain" => (false, false, false),
            "loopback" => (false, true, true),
            other => panic!("no way to connect: {other}"),
        };
        let (server, client) = pipe(secure, offers_tls);
        let origin = Origin { client: SocketAddr::from(([192, 0, 2, 1], 4000)), role: Role::Pop3, trusted };
        let signals = Signals { draining: self.drain.watch(), closing: self.closing.watch() };
        tokio::spawn(connection::serve(server, origin, Arc::clone(&self.services), signals));
        client
    }

    /// The `!` lines that concern no session.
    pub(crate) async fn act(&self, action: &str, argument: &str, text: &[u8]) {
        match action {
            "deliver" => self.deliver(argument, text).await,
            "expunge" => self.expunge(argument).await,
            "inbox" => self.check_inbox(argument).await,
            "disable" => self.directory.set_state(self.accounts[argument], AccountState::Disabled),
            "fail" => self.store.fail_with(Some(MailstoreError::Unavailable { message: "test".to_owned() })),
            "heal" => self.store.fail_with(None),
            "drain" => self.drain.start(),
            "closing" => self.closing.start(),
            // Time passes in steps that leave nobody behind.
            "pass" => {
                for _ in 0..argument.parse::<u32>().unwrap() {
                    self.clock.advance(Duration::from_secs(1));
                    settle().await;
                }
            }
            // Time jumps, as for a process that was stopped.
            "jump" => {
                self.clock.advance(Duration::from_secs(argument.parse().unwrap()));
                settle().await;
            }
            "settle" => settle().await,
            other => panic!("unknown action: {other}"),
        }
    }

    async fn access(&self, address: &str) -> Access {
        let request = LoginRequest {
            login: address.to_owned(),
            password: PASSWORD.to_owned().into(),
            scopes: Scopes::from(Scope::Imap),
            client: [127, 0, 0, 1].into(),
        };
        Access::from(&self.directory.login(request).await.unwrap())
    }

    async fn deliver(&self, address: &str, text: &[u8]) {
        let request = AppendRequest {
            key: IdempotencyKey(Uuid::new_v4()),
            mailbox: MailboxName::inbox(),
            flags: Flags::default(),
            received_at: None,
            body: bytes::Bytes::copy_from_slice(text).into(),
        };
        self.store.append(&self.access(address).await, request).await.unwrap();
    }

    /// `<address> <uid>`: as an IMAP session does it.
    async fn expunge(&self, argument: &str) {
        let (address, uid) = argument.split_once(' ').unwrap();
        let access = self.access(address).await;
        let mailbox = self.store.status(&access, &MailboxName::inbox()).await.unwrap().mailbox;
        let uids = UidSet::from(Uid::new(uid.parse().unwrap()).unwrap());
        let store = StoreRequest {
            key: IdempotencyKey(Uuid::new_v4()),
            mailbox,
            uids: uids.clone(),
            operation: FlagsOperation::Add,
            flags: [SystemFlag::Deleted].into_iter().collect(),
            unchanged_since: None,
        };
        self.store.store(&access, &store).await.unwrap();
        let expunge = ExpungeRequest { key: IdempotencyKey(Uuid::new_v4()), mailbox, uids: Some(uids) };
        self.store.expunge(&access, &expunge).await.unwrap();
    }

    /// `<address> <count>`: how many messages INBOX has now.
    async fn check_inbox(&self, argument: &str) {
        let (address, count) = argument.split_once(' ').unwrap();
        let status = self.store.status(&self.access(address).await, &MailboxName::inbox()).await.unwrap();
        assert_eq!(status.messages.to_string(), count, "messages of {address}");
    }
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
