//! The whole contract on real PostgreSQL, and what only this implementation can show.

use std::sync::Arc;

use staffetta_chassis::clock::{Clock, Manual};
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::testing::TestDatabase;
use staffetta_mailstore_api::Access;
use staffetta_mailstore_api::contract::Fixture;
use staffetta_packs::ObjectStore;
use staffetta_packs::store::fault::Faulty;
use staffetta_packs::store::memory::MemoryStore;

use crate::app::{Backend, Replacements};
use crate::config::{Limits, MailstoreConfig};
use crate::hints::{Hints, LocalHints};

mod batches;
mod journal;
mod service;
mod watching;

/// A shard of two pods on one database, one object store and shared hints.
pub(crate) struct Shard {
    pub(crate) one: Backend,
    pub(crate) two: Backend,
    pub(crate) objects: Arc<Faulty>,
    pub(crate) clock: Manual,
    /// Ends with the shard.
    tasks: Tasks,
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Shard {
    /// Both pods hear each other's hints.
    pub(crate) async fn start() -> Self {
        let hints: Arc<dyn Hints> = Arc::new(LocalHints::default());
        Self::start_with(&[hints.clone(), hints], Limits::default()).await
    }

    pub(crate) async fn start_with(hints: &[Arc<dyn Hints>; 2], limits: Limits) -> Self {
        let database = TestDatabase::create().await;
        let clock = Manual::at_unix(1_750_000_000);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let context = Context::with_clock("mailstore", shared);
        let objects = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
        let tasks = Tasks::new();
        let config = MailstoreConfig { limits, ..config(&database) };
        let store: Arc<dyn ObjectStore> = objects.clone();
        let parts =
            |pod: usize| Replacements { objects: Some(store.clone()), hints: Some(hints[pod].clone()) };
        let one = Backend::open(&config, parts(0), &context, &tasks).await.expect("pod one");
        let two = Backend::open(&config, parts(1), &context, &tasks).await.expect("pod two");
        Self { one, two, objects, clock, tasks }
    }
}

pub(crate) fn config(database: &TestDatabase) -> MailstoreConfig {
    let text = r#"
        [grpc]
        address = "127.0.0.1:0"
        [database]
        url = "postgres://replaced"
        [store]
        type = "memory"
        [tokens]
        public_keys = "unused"
    "#;
    let mut config: MailstoreConfig = staffetta_chassis::config::parse(text, []).expect("settings");
    config.database = database.config();
    config
}

async fn fixture() -> Fixture {
    let shard = Shard::start().await;
    let pool = shard.one.store.pool().clone();
    Fixture {
        mailstore: Arc::new(shard.one.store.clone()),
        other: Arc::new(shard.two.store.clone()),
        clock: shard.clock.clone(),
        access: Arc::new(|account, epoch, quota| Access { account, epoch, quota, token: None }),
        forget_expunged: Arc::new(move |account| {
            let pool = pool.clone();
            Box::pin(async move {
                for sql in [
                    "UPDATE mailbox m SET expunged_runs = 0, expunged_floor = greatest(expunged_floor, coalesce((SELECT \
                     max(modseq) FROM expunged e WHERE e.account_id = m.account_id AND e.mailbox_id = m.id), 0)) WHERE \
                     account_id = $1",
                    "DELETE FROM expunged WHERE account_id = $1",
                ] {
                    sqlx::query(sql).bind(account.0).execute(&pool).await.expect("forget");
                }
            })
        }),
        guard: Box::new(shard),
    }
}

staffetta_mailstore_api::contract_tests!(fixture);

/// The same through a gRPC round trip.
mod wire {
    use staffetta_mailstore_api::contract::{Fixture, through_grpc};

    async fn fixture() -> Fixture {
        through_grpc(super::fixture().await).await
    }

    staffetta_mailstore_api::contract_tests!(fixture);
}
