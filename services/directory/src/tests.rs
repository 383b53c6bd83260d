//! The service on a real PostgreSQL.

mod budgets;
mod cleanup;
mod logins;
mod process;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use staffetta_chassis::clock::Manual;
use staffetta_chassis::config::parse_section;
use staffetta_chassis::postgres::Pool;
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::testing::TestDatabase;
use staffetta_directory_api::contract::{self, Harness};
use staffetta_directory_api::token::{SigningKey, TokenVerifier};
use staffetta_directory_api::{
    AccountId, AccountSpec, Directory, DomainSpec, LoginRequest, Scope, Workloads,
};

use crate::app::{build, open_database};
use crate::config::DirectoryConfig;

/// 2027-01-15, on an hour.
const START: u64 = 1_800_000_000;

/// A database and keys that several pods may share.
struct Site {
    database: TestDatabase,
    keys: tempfile::TempDir,
    clock: Manual,
}

/// One instance of the service.
struct Pod {
    directory: Arc<dyn Workloads>,
    pool: Pool,
    context: Context,
    tasks: Tasks,
}

impl Site {
    async fn new() -> Self {
        let keys = tempfile::tempdir().unwrap();
        SigningKey::generate("one").unwrap().write(keys.path()).unwrap();
        Self { database: TestDatabase::create().await, keys, clock: Manual::at_unix(START) }
    }

    fn config(&self) -> DirectoryConfig {
        config(&self.database, self.keys.path())
    }

    async fn pod(&self) -> Pod {
        self.pod_with(&self.config()).await
    }

    async fn pod_with(&self, config: &DirectoryConfig) -> Pod {
        let context = Context::with_clock("directory", Arc::new(self.clock.clone()));
        let pool = open_database(config, &context).await.unwrap();
        let tasks = Tasks::new();
        let directory = build(config, &pool, &context, &tasks).unwrap();
        Pod { directory, pool, context, tasks }
    }
}

impl Pod {
    fn as_workload(&self, name: &str) -> Arc<dyn Directory> {
        self.directory.for_workload(name)
    }

    async fn add_account(&self, address: &str, password: &str) -> AccountId {
        let admin = self.as_workload("ctl");
        let address: staffetta_message::address::Address = address.parse().unwrap();
        let _ = admin.create_domain(&DomainSpec { name: address.domain().clone() }).await;
        let spec = AccountSpec { address, password: password.into(), quota: None, budget: None, shard: None };
        admin.create_account(spec).await.unwrap().id
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.pool.inner()).await.unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// The contract's limits and cheap hashes.
fn config(database: &TestDatabase, keys: &Path) -> DirectoryConfig {
    let text = format!(
        r#"
        [grpc]
        address = "127.0.0.1:0"
        workload_keys = ["key"]
        [postgres]
        url = "{}"
        max_connections = 8
        [tokens]
        directory = "{}"
        [hashing]
        memory_kib = 8
        passes = 1
        [lockout]
        pair_failures = {}
        address_failures = {}
        lock = "{}s"
        [budgets]
        account = {{ messages_per_hour = 5, messages_per_day = 8, recipients_per_hour = 40, recipients_per_day = 60 }}
        sender = {{ messages_per_hour = 5, messages_per_day = 8, recipients_per_hour = 40, recipients_per_day = 60 }}
        "#,
        database.url(),
        keys.display(),
        contract::PAIR_FAILURES,
        contract::ADDRESS_FAILURES,
        contract::LOCK.as_secs(),
    );
    parse_section(&text, []).unwrap()
}

fn attempt(login: &str, password: &str) -> LoginRequest {
    LoginRequest {
        login: login.to_owned(),
        password: password.into(),
        scopes: Scope::Imap.into(),
        client: "192.0.2.1".parse().unwrap(),
    }
}

async fn harness() -> Harness {
    let site = Site::new().await;
    let pod = site.pod().await;
    let verifier = TokenVerifier::from_directory(site.keys.path()).unwrap();
    let (clock, directory) = (site.clock.clone(), Arc::clone(&pod.directory));
    Harness { clock, directory, verifier, keep: Box::new((pod, site)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_keeps_the_contract() {
    contract::suite(harness).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_keeps_the_contract_through_grpc() {
    contract::suite(|| async { contract::over_grpc(harness().await).await }).await;
}
