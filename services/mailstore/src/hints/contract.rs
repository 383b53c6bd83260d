//! What both adapters do.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_chassis::config::Secret;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{MailboxId, ModSeq};
use std::sync::Arc;

use super::{Hint, HintEvent, Hints, LocalHints, RedisHints, RedisHintsConfig};

fn hint(account: i64) -> Hint {
    Hint::mailbox(AccountId(account), MailboxId(1), ModSeq(5))
}

/// The next hint; told losses are skipped.
async fn next(events: &mut BoxStream<'static, HintEvent>) -> Hint {
    let wait = async {
        loop {
            match events.next().await.expect("the subscription lives") {
                HintEvent::Hint(hint) => return hint,
                HintEvent::Lost => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("a hint")
}

/// `one` and `two` are pods of one shard (or the same).
async fn suite(one: Arc<dyn Hints>, two: Arc<dyn Hints>) {
    // A listener elsewhere may need a moment to be heard: repeat until it is.
    let mut elsewhere = two.subscribe();
    let publishing = async {
        loop {
            one.publish(&[hint(1)]);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = publishing => unreachable!(),
        heard = next(&mut elsewhere) => assert_eq!(heard, hint(1)),
    }
    // The own subscriber hears each once, in order.
    let mut own = one.subscribe();
    one.publish(&[hint(2), hint(3)]);
    one.publish(&[Hint::purged(AccountId(4))]);
    assert_eq!(next(&mut own).await, hint(2));
    assert_eq!(next(&mut own).await, hint(3));
    assert_eq!(next(&mut own).await, Hint::purged(AccountId(4)));
    // And so does the other pod.
    let mut heard = Vec::new();
    while heard.last() != Some(&Hint::purged(AccountId(4))) {
        heard.push(next(&mut elsewhere).await);
    }
    heard.retain(|heard| *heard != hint(1));
    assert_eq!(heard, [hint(2), hint(3), Hint::purged(AccountId(4))]);
}

#[tokio::test]
async fn local_hints_keep_the_contract() {
    let hints = LocalHints::default();
    suite(Arc::new(hints.clone()), Arc::new(hints)).await;
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_is_told() {
    let hints = LocalHints::default();
    let mut slow = hints.subscribe();
    for account in 0..10_000 {
        hints.publish(&[hint(account)]);
    }
    assert_eq!(slow.next().await, Some(HintEvent::Lost));
}

/// A Redis server of this test's own.
struct TestRedis {
    process: tokio::process::Child,
    folder: tempfile::TempDir,
}

impl TestRedis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let process = tokio::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.path().join("redis.sock"))
            .current_dir(folder.path())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server, from the package `redis-server`");
        let redis = Self { process, folder };
        let client = redis::Client::open(redis.url()).expect("url");
        while client.get_multiplexed_async_connection().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        redis
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("redis.sock").display())
    }

    fn hints(&self, tasks: &Tasks) -> Arc<dyn Hints> {
        let config = RedisHintsConfig { url: Secret::new(self.url()), channel: "test".to_owned() };
        Arc::new(RedisHints::start(&config, tasks).expect("hints"))
    }
}

#[tokio::test]
async fn redis_hints_keep_the_contract() {
    let mut redis = TestRedis::start().await;
    let tasks = Tasks::new();
    suite(redis.hints(&tasks), redis.hints(&tasks)).await;
    // Without Redis the own subscribers are still told.
    let alone = redis.hints(&tasks);
    redis.process.kill().await.expect("kill");
    let mut own = alone.subscribe();
    alone.publish(&[hint(9)]);
    assert_eq!(next(&mut own).await, hint(9));
    tasks.stop().await;
}
