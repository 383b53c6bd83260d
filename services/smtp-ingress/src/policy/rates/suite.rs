//! What every implementation of [`Rates`] must do.

use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Allowance, Client, Counted, Rates, Verdict};

/// Runs the suite; `pass` lets time pass.
pub(crate) async fn rates(rates: &dyn Rates, pass: impl AsyncFn(Duration)) {
    let client = |last: u8| Client::from(IpAddr::from([198, 51, 100, last]));
    // 600 a minute: one refills in 100 ms.
    let allowance = Allowance { per_minute: 600 };
    let take = async |what, last, cost| rates.take(what, client(last), allowance, cost).await.unwrap();

    assert_eq!(take(Counted::Message, 1, 599).await, Verdict::Allowed, "a burst fits");
    assert_eq!(take(Counted::Message, 1, 0).await, Verdict::Allowed, "one is left");
    assert_eq!(take(Counted::Message, 1, 1).await, Verdict::Allowed, "looking took nothing");
    let Verdict::Refused { retry_after } = take(Counted::Message, 1, 2).await else {
        panic!("the allowance was exceeded")
    };
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_millis(200), "{retry_after:?}");
    assert!(matches!(take(Counted::Message, 1, 0).await, Verdict::Refused { .. }), "looking tells");
    assert_eq!(take(Counted::AuthFailure, 1, 1).await, Verdict::Allowed, "kinds are apart");
    assert_eq!(take(Counted::Message, 2, 600).await, Verdict::Allowed, "clients are apart");
    pass(retry_after).await;
    assert_eq!(take(Counted::Message, 1, 2).await, Verdict::Allowed, "it fits when told");
    let off = Allowance { per_minute: 0 };
    let verdict = rates.take(Counted::Message, client(1), off, 1_000_000).await.unwrap();
    assert_eq!(verdict, Verdict::Allowed, "0 is no limit");
}

/// A Redis server of its own, on a loopback port, ended with the value.
pub(crate) struct PrivateRedis {
    process: Child,
    port: u16,
}

impl PrivateRedis {
    pub(crate) async fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "only to find a free port")]
        let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (package redis-server)");
        let server = Self { process, port };
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
