//! The whole service from its settings, as a process starts it.

use std::time::Duration;

use staffetta_chassis::config::{self, Secret};
use staffetta_chassis::grpc::{Channel, GrpcClientConfig};
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::testing::TestDatabase;
use staffetta_outbound_api::Queue;
use staffetta_outbound_api::grpc::QueueClient;

use super::fixture::message;
use crate::{Outbound, OutboundConfig};

/// Directory and mailstore are away: the queue works all the same.
async fn start(database: &TestDatabase) -> (Outbound, String) {
    let text = r#"
        hostname = "out.north.test"
        schedule = { poll = "50ms" }
        [grpc]
        address = "127.0.0.1:0"
        workload_keys = ["key"]
        [store]
        type = "memory"
        [directory]
        target = "http://127.0.0.1:1"
        [shards.main]
        target = "http://127.0.0.1:1"
    "#;
    let text = format!("{text}\n[database]\nurl = \"{}\"", database.url());
    let config: OutboundConfig = config::parse(&text, []).unwrap();
    let service = Outbound::start(config, Context::for_tests()).await.unwrap();
    let target = format!("http://{}", service.endpoints()[0].1);
    (service, target)
}

fn client(target: &str, workload: &str) -> QueueClient {
    let config = GrpcClientConfig::to(target, Secret::new("key"));
    QueueClient::new(Channel::connect(&config, workload, &Context::for_tests()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn service_takes_mail_shows_it_and_drains() {
    let database = TestDatabase::create().await;
    let (service, target) = start(&database).await;
    let request = message(Some("a@north.test"), &["b@south.test"]);
    assert!(client(&target, "smtp-ingress").enqueue(request.clone()).await.unwrap().fresh);
    let shown = client(&target, "ctl").show(request.transaction).await.unwrap();
    assert_eq!(shown.size, request.body.len());
    assert_eq!(client(&target, "ctl").stats().await.unwrap().messages, 1);
    let drained = tokio::time::timeout(Duration::from_secs(30), service.drain(Duration::from_secs(5)));
    drained.await.expect("the drain keeps to its budget");

    let (service, target) = start(&database).await;
    assert_eq!(client(&target, "ctl").stats().await.unwrap().messages, 1, "the queue outlives its process");
    service.drain(Duration::from_secs(5)).await;
}
