//! The writer against a commit that records what it is told.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use staffetta_chassis::clock::Manual;
use tokio::sync::Notify;

use super::*;
use crate::reader::PackReader;
use crate::store::fault::{Fault, Faulty, Operation};
use crate::store::memory::MemoryStore;

/// Batches as they were committed, by item.
#[derive(Default)]
struct Recorder {
    committed: Mutex<Vec<(Vec<u32>, Locking)>>,
    busy: Mutex<HashSet<u32>>,
    poison: Mutex<HashSet<u32>>,
    away: Mutex<bool>,
    released: Notify,
}

impl Recorder {
    fn batches(&self) -> Vec<(Vec<u32>, Locking)> {
        self.committed.lock().unwrap().clone()
    }
}

#[async_trait]
impl Commit for Recorder {
    type Item = u32;
    type Output = BodyAddress;
    type Error = &'static str;

    async fn commit(
        &self,
        entries: &[Entry<u32>],
        locking: Locking,
    ) -> Result<Vec<Verdict<BodyAddress, &'static str>>, CommitFailure<&'static str>> {
        let items: Vec<u32> = entries.iter().map(|entry| entry.item).collect();
        if *self.away.lock().unwrap() {
            return Err(CommitFailure::All("away"));
        }
        if items.iter().any(|item| self.poison.lock().unwrap().contains(item)) {
            return Err(CommitFailure::Culprit("poison"));
        }
        if locking == Locking::Wait {
            self.released.notified().await;
        }
        let skipped = |item: &u32| locking == Locking::Skip && self.busy.lock().unwrap().contains(item);
        let taken = items.iter().copied().filter(|item| !skipped(item)).collect();
        self.committed.lock().unwrap().push((taken, locking));
        Ok(entries
            .iter()
            .map(|entry| match skipped(&entry.item) {
                true => Verdict::Later,
                false => Verdict::Settled(Ok(entry.address.clone())),
            })
            .collect())
    }
}

struct Fixture {
    store: Arc<Faulty>,
    recorder: Arc<Recorder>,
    writer: PackWriter<Recorder>,
    reader: PackReader,
    clock: Manual,
    task: JoinHandle<()>,
}

fn fixture(config: &PackConfig, in_flight: usize) -> Fixture {
    let store = Arc::new(Faulty::new(Arc::new(MemoryStore::default())));
    let (recorder, clock, prefix) =
        (Arc::new(Recorder::default()), Manual::at_unix(1_700_000_000), Prefix::new("mail"));
    let names = (prefix.clone(), WriterId::new("w"));
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let (writer, task) = PackWriter::start(store.clone(), recorder.clone(), shared, names, config, in_flight);
    let reader = PackReader::new(store.clone(), prefix);
    Fixture { store, recorder, writer, reader, clock, task }
}

impl Fixture {
    async fn submit(&self, item: u32, body: &'static [u8]) -> Answer<Recorder> {
        self.writer.submit(Spooled::from(Bytes::from_static(body)), Checksum::of(body), item).await
    }

    async fn submit_all(&self, items: std::ops::Range<u32>) -> Vec<Answer<Recorder>> {
        join_all(items.map(|item| self.submit(item, b"body"))).await
    }
}

#[tokio::test]
async fn bodies_that_arrive_together_share_a_pack_and_a_commit() {
    let fixture = fixture(&PackConfig::default(), 1);
    fixture.store.delay(Operation::Put, Duration::from_millis(20));
    let answers = fixture.submit_all(0..50).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(fixture.store.calls(Operation::Put) <= 3, "{}", fixture.store.calls(Operation::Put));
    for answer in answers {
        let address = answer.unwrap();
        assert_eq!(fixture.reader.whole(&address).await.unwrap(), "body");
    }
}

#[tokio::test]
async fn a_lone_body_does_not_wait() {
    let fixture = fixture(&PackConfig::default(), 1);
    let address = fixture.submit(1, b"alone").await.unwrap();
    assert_eq!((address.offset, address.len), (0, 5));
    assert_eq!(fixture.reader.whole(&address).await.unwrap(), "alone");
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let fixture = fixture(&PackConfig::default(), 1);
    let address = fixture.submit(1, b"").await.unwrap();
    assert_eq!(fixture.reader.whole(&address).await.unwrap(), "");
    assert_eq!(fixture.store.calls(Operation::Put), 1);
}

#[tokio::test]
async fn a_batch_is_bounded_by_bytes_and_count() {
    let config = PackConfig { max_batch_items: 4, ..PackConfig::default() };
    let by_count = fixture(&config, 1);
    by_count.submit_all(0..10).await;
    assert!(by_count.recorder.batches().iter().all(|(items, _)| items.len() <= 4));
    let by_bytes = fixture(&PackConfig { max_batch_bytes: 9, ..PackConfig::default() }, 1);
    by_bytes.submit_all(0..10).await;
    assert!(by_bytes.recorder.batches().iter().all(|(items, _)| items.len() <= 2));
}

#[tokio::test]
async fn nothing_is_committed_when_the_put_fails() {
    let fixture = fixture(&PackConfig::default(), 1);
    fixture.store.inject(Operation::Put, Fault::Fail, 1);
    assert!(matches!(fixture.submit(1, b"x").await, Err(SubmitError::Store(_))));
    assert!(fixture.recorder.batches().is_empty());
    fixture.submit(1, b"x").await.unwrap();
}

#[tokio::test]
async fn a_culprit_fails_alone() {
    let fixture = fixture(&PackConfig::default(), 1);
    fixture.recorder.poison.lock().unwrap().insert(5);
    let answers = fixture.submit_all(0..16).await;
    for (item, answer) in answers.into_iter().enumerate() {
        match (item, answer) {
            (5, Err(SubmitError::Commit("poison"))) => {}
            (5, other) => panic!("culprit got {other:?}"),
            (_, answer) => assert!(answer.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_fails_the_batch_without_splitting() {
    let fixture = fixture(&PackConfig::default(), 1);
    *fixture.recorder.away.lock().unwrap() = true;
    let answers = fixture.submit_all(0..8).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(SubmitError::Commit("away")))));
}

#[tokio::test]
async fn a_busy_account_delays_nobody_else() {
    let fixture = fixture(&PackConfig::default(), 1);
    fixture.recorder.busy.lock().unwrap().insert(1);
    let held = fixture.submit(1, b"held");
    tokio::pin!(held);
    assert!(futures_util::poll!(&mut held).is_pending());
    for item in 2..6 {
        fixture.submit(item, b"free").await.unwrap();
    }
    assert!(futures_util::poll!(&mut held).is_pending());
    fixture.recorder.released.notify_one();
    let address = held.await.unwrap();
    assert_eq!(fixture.reader.whole(&address).await.unwrap(), "held");
    let (last, locking) = fixture.recorder.batches().pop().unwrap();
    assert_eq!((last, locking), (vec![1], Locking::Wait));
    assert!(fixture.store.calls(Operation::Put) <= 5, "the straggler is not written twice");
}

#[tokio::test]
async fn a_large_body_has_a_pack_of_its_own() {
    let fixture = fixture(&PackConfig { large_body: 10, ..PackConfig::default() }, 1);
    let address = fixture.submit(1, b"more than ten").await.unwrap();
    let small = fixture.submit(2, b"small").await.unwrap();
    assert_ne!(address.pack, small.pack);
    assert_eq!(fixture.reader.whole(&address).await.unwrap(), "more than ten");
}

#[tokio::test]
async fn an_old_pack_is_not_committed() {
    let fixture = fixture(&PackConfig::default(), 1);
    fixture.store.delay(Operation::Put, Duration::from_millis(20));
    let slow = fixture.submit(1, b"slow");
    tokio::pin!(slow);
    assert!(futures_util::poll!(&mut slow).is_pending());
    while fixture.store.calls(Operation::Put) == 0 {
        tokio::task::yield_now().await;
    }
    fixture.clock.advance(Duration::from_secs(3601));
    assert!(matches!(slow.await, Err(SubmitError::Stale)));
    assert!(fixture.recorder.batches().is_empty());
}

#[tokio::test]
async fn several_packs_are_written_at_once_when_enough_waits() {
    let fixture = fixture(&PackConfig { overlap_at: 1, max_batch_items: 1, ..PackConfig::default() }, 4);
    fixture.store.delay(Operation::Put, Duration::from_millis(50));
    let begun = tokio::time::Instant::now();
    assert!(fixture.submit_all(0..4).await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < Duration::from_millis(150), "{:?}", begun.elapsed());
    assert_eq!(fixture.store.calls(Operation::Put), 4);
}

#[tokio::test]
async fn the_writer_ends_when_all_is_answered() {
    let Fixture { writer, task, recorder, .. } = fixture(&PackConfig::default(), 1);
    let submitted = tokio::spawn(async move {
        writer.submit(Spooled::from(Bytes::from_static(b"x")), Checksum::of(b"x"), 1).await
    });
    assert!(submitted.await.unwrap().is_ok());
    task.await.unwrap();
    assert_eq!(recorder.batches().len(), 1);
}
