//! One submitted message is one trace, over every process and both platforms that it passes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use staffetta_tests::cluster::{Cluster, Setup};
use staffetta_tests::collector::{Collector, Span};
use staffetta_tests::{eventually, mail};

/// The way of a message from one platform to the other.
const HOPS: [(&str, &str); 4] = [
    ("north.test", "smtp-ingress"),
    ("north.test", "outbound"),
    ("south.test", "smtp-ingress"),
    ("south.test", "mailstore"),
];

const ARRIVAL: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_to_another_platform_is_one_trace() {
    let collector = Collector::start().expect("a port for the collector");
    let setup = Setup { traces: Some(collector.url()), ..Setup::two() };
    Cluster::run(setup, async |cluster| {
        let alice = cluster.site(0).create_account("alice", None).await?;
        let bob = cluster.site(1).create_account("bob", None).await?;
        let mut client = cluster.site(0).door().submission(&alice).await?;
        let reply = client.send_mail(&alice, &[&bob], &mail::message("traced", &alice, &bob)).await?;
        let transaction = reply.transaction().context("the reply names the transaction")?.to_string();

        let trace = eventually::is_ok("all hops are in one trace", ARRIVAL, async || {
            let spans = collector.spans();
            let mut traces: BTreeMap<&[u8], BTreeSet<(&str, &str)>> = BTreeMap::new();
            for span in &spans {
                traces.entry(&span.trace).or_default().insert((&span.site, &span.service));
            }
            let whole = traces.iter().find(|(_, hops)| HOPS.iter().all(|hop| hops.contains(hop)));
            whole.map(|(trace, _)| trace.to_vec()).with_context(|| format!("{traces:?}"))
        })
        .await?;
        // A span is sent when it ends, so those around the hops come last.
        let named: Vec<Span> = eventually::is_ok("spans carry the transaction id", ARRIVAL, async || {
            let spans = collector.spans().into_iter();
            let named: Vec<Span> =
                spans.filter(|span| span.transaction.as_ref() == Some(&transaction)).collect();
            (!named.is_empty()).then_some(named).context("none does yet")
        })
        .await?;
        assert!(named.iter().all(|span| span.trace == trace), "and all of them are in that trace: {named:?}");
        Ok(())
    })
    .await;
}
