use std::collections::BTreeMap;
use std::time::Duration;

use tonic::Code;

use super::say::{Name, Server, client_config, connect, loopback, say, serve};
use crate::grpc::Channel;

async fn named(name: &'static str) -> Server {
    serve(move |_| async move { Ok(name.to_owned()) }).await
}

/// Who answered `calls` calls, all of which must succeed.
async fn answers(channel: &Channel, calls: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..calls {
        *answers.entry(say(channel, String::new()).await.unwrap()).or_default() += 1;
    }
    answers
}

async fn until_connected(channel: &Channel, connections: usize) {
    let reached = async {
        while channel.connections() != connections {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap();
}

#[tokio::test]
async fn calls_spread_over_all_addresses_and_a_killed_server_leaves_at_once() {
    let (first, second, name) = (named("first").await, named("second").await, Name::default());
    name.set([first.address, second.address]);
    let channel = name.connect();
    until_connected(&channel, 2).await;
    let spread = answers(&channel, 100).await;
    assert!(spread.len() == 2 && spread.values().all(|count| *count > 10), "{spread:?}");

    // Still in the name, as in DNS for a while after a crash.
    second.tasks.stop().await;
    until_connected(&channel, 1).await;
    assert_eq!(answers(&channel, 100).await.keys().collect::<Vec<_>>(), ["first"]);

    let third = named("third").await;
    name.set([first.address, third.address]);
    until_connected(&channel, 2).await;
    let spread = answers(&channel, 100).await;
    assert_eq!(spread.keys().collect::<Vec<_>>(), ["first", "third"]);

    name.set([third.address]);
    until_connected(&channel, 1).await;
    assert_eq!(answers(&channel, 10).await.keys().collect::<Vec<_>>(), ["third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_a_server_drains() {
    let (first, second, name) = (named("first").await, named("second").await, Name::default());
    name.set([first.address, second.address]);
    let channel = name.connect();
    until_connected(&channel, 2).await;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { answers(&channel, 300).await })
        })
        .collect();
    answers(&channel, 20).await;
    second.drain.start();
    assert!(second.tasks.finish(Duration::from_secs(10)).await, "its calls ended by themselves");
    for caller in callers {
        assert_eq!(caller.await.unwrap().values().sum::<usize>(), 300);
    }
    assert_eq!(answers(&channel, 10).await.keys().collect::<Vec<_>>(), ["first"]);
}

#[tokio::test]
async fn a_server_that_comes_back_under_its_address_is_used_again() {
    let first = named("first").await;
    let channel = connect(&client_config(first.address));
    assert_eq!(say(&channel, String::new()).await.unwrap(), "first");
    first.tasks.stop().await;
    until_connected(&channel, 0).await;
    // This call waits for the connection.
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { say(&channel, String::new()).await }
    });
    let config = crate::grpc::GrpcServerConfig::on(first.address, crate::config::Secret::new("other"));
    let _again = super::say::serve_with(config, |_| async { Ok("again".to_owned()) }).await;
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), Code::Unauthenticated, "it reached the new one");
}

#[tokio::test]
async fn without_any_server_a_call_fails_as_unavailable_in_time() {
    let closed = std::net::TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    let mut config = client_config(closed);
    config.ready_timeout = Duration::from_millis(50);
    let status = say(&connect(&config), String::new()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&closed.to_string()), "{status}");
}
