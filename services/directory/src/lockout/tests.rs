use std::process::{Child, Command, Stdio};

use staffetta_chassis::clock::Manual;
use staffetta_chassis::config::Secret;

use super::*;

fn config() -> LockoutConfig {
    LockoutConfig { pair_failures: 2, address_failures: 4, slow_after: 3, ..LockoutConfig::default() }
}

fn attempt(login: &str, client: &str) -> Attempt {
    Attempt::new(login, client.parse().unwrap())
}

fn local() -> (Lockout, Manual) {
    let clock = Manual::at_unix(0);
    (Lockout::new(config(), None, Arc::new(clock.clone())).unwrap(), clock)
}

fn is_locked(answer: Result<(), DirectoryError>) -> bool {
    matches!(answer, Err(DirectoryError::LockedOut { .. }))
}

#[tokio::test]
async fn parallel_guesses_are_counted_before_the_first_has_failed() {
    let (lockout, _) = local();
    let guess = attempt("alice@north.test", "192.0.2.1");
    let mut allowed = 0;
    for _ in 0..20 {
        lockout.admit(&guess).await.ok();
        allowed += u32::from(lockout.charge(&guess).await.is_ok());
    }
    assert_eq!(allowed, 2);
}

#[tokio::test]
async fn right_password_forgets_the_pair_and_costs_the_address_nothing() {
    let (lockout, _) = local();
    let guess = attempt("alice@north.test", "192.0.2.1");
    for _ in 0..20 {
        lockout.charge(&guess).await.unwrap();
        lockout.charge(&guess).await.unwrap();
        lockout.forgive(&guess).await;
        lockout.give_back(&guess).await;
    }
    lockout.admit(&guess).await.unwrap();
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_count_together() {
    let (lockout, clock) = local();
    for guess in 0..4 {
        lockout.charge(&attempt(&format!("user{guess}"), &format!("2001:db8::{guess}"))).await.unwrap();
    }
    assert!(is_locked(lockout.admit(&attempt("alice", "2001:db8::ffff")).await));
    lockout.admit(&attempt("alice", "2001:db8:0:1::1")).await.unwrap();
    clock.advance(config().lock);
    lockout.admit(&attempt("alice", "2001:db8::ffff")).await.unwrap();
    assert_eq!(attempt("a", "::ffff:192.0.2.1").pair, attempt("A ", "192.0.2.1").pair);
}

#[test]
fn delay_grows_to_its_maximum_and_no_further() {
    let (lockout, _) = local();
    let delays: Vec<u128> = (0..12).map(|failures| lockout.delay(failures).as_millis()).collect();
    assert_eq!(delays, [0, 0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    assert_eq!(lockout.delay(u32::MAX).as_millis(), 2000);
}

#[test]
fn counters_are_bounded_and_forget_the_soonest_to_expire() {
    let clock = Manual::at_unix(0);
    let counters = Counters::new(100);
    for i in 0..10_000u64 {
        let now = clock.instant();
        counters.add(&format!("key{i}"), 5, Duration::from_secs(1_000 + i), Duration::from_secs(1), now);
        assert!(counters.len() <= 100);
    }
    assert_eq!(
        counters.read(["key9999", "key9998", "key0"], clock.instant()).map(|count| count.failures),
        [1, 1, 0]
    );
}

/// A Redis of its own on a loopback port, stopped by its process id.
struct Redis {
    process: Child,
    config: RedisConfig,
    _folder: tempfile::TempDir,
}

impl Redis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let url = format!("redis+unix://{}", socket.display());
        let mut connection = Err(());
        while connection.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            connection = Client::open(url.as_str()).unwrap().get_connection().map_err(drop);
        }
        let (timeout, pause) = (Duration::from_secs(5), Duration::from_secs(60));
        Self { process, config: RedisConfig { url: Secret::new(url), timeout, pause }, _folder: folder }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

use redis::Client;

#[tokio::test]
async fn pods_share_their_counts_through_redis_and_go_on_without_it() {
    let mut redis = Redis::start().await;
    let clock = Manual::at_unix(0);
    let pod = || Lockout::new(config(), Some(&redis.config), Arc::new(clock.clone())).unwrap();
    let (one, two) = (pod(), pod());
    let guess = attempt("alice@north.test", "192.0.2.1");
    one.charge(&guess).await.unwrap();
    two.charge(&guess).await.unwrap();
    assert!(is_locked(one.admit(&guess).await) && is_locked(two.admit(&guess).await));
    assert!(is_locked(one.charge(&guess).await));
    assert!(is_locked(pod().admit(&guess).await), "a restarted pod forgets nothing");
    let elsewhere = attempt("alice@north.test", "192.0.2.2");
    one.charge(&elsewhere).await.unwrap();
    two.forgive(&elsewhere).await;
    pod().admit(&elsewhere).await.unwrap();

    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    let other = attempt("bob@north.test", "192.0.2.3");
    for _ in 0..2 {
        one.admit(&other).await.unwrap();
        one.charge(&other).await.unwrap();
    }
    assert!(is_locked(one.admit(&other).await), "the pod counts for itself");
}
