//! Keeping the set of connections equal to the addresses of the name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Connector;
use super::pick::Set;
use super::target::Resolve;
use crate::backoff::Backoff;

/// However many connections break at once, the name is not asked more often than this.
const MIN_PAUSE: Duration = Duration::from_millis(200);
/// A connection that ends sooner counts as a failed attempt: something accepts and hangs up.
const SHORT_LIFE: Duration = Duration::from_secs(1);
const RECONNECT: Backoff =
    Backoff { initial: Duration::from_millis(100), max: Duration::from_secs(1), factor: 2.0, jitter: 0.25 };

/// Runs until dropped.
pub(super) async fn run(set: Set, resolver: Arc<dyn Resolve>, connector: Connector, interval: Duration) {
    let mut kept: BTreeMap<SocketAddr, AbortOnDropHandle<()>> = BTreeMap::new();
    loop {
        match resolver.resolve().await {
            Ok(addresses) => follow(&mut kept, &addresses, &set, &connector),
            // What was known may still be right.
            Err(error) => tracing::warn!(%error, "name cannot be resolved, keeping what is known"),
        }
        tokio::time::sleep(MIN_PAUSE).await;
        let pause = interval.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = set.broken() => {}
        }
    }
}

fn follow(
    kept: &mut BTreeMap<SocketAddr, AbortOnDropHandle<()>>,
    addresses: &BTreeSet<SocketAddr>,
    set: &Set,
    connector: &Connector,
) {
    // An address that left takes no new calls; those under way end by themselves.
    kept.retain(|address, _| addresses.contains(address));
    for &address in addresses {
        kept.entry(address).or_insert_with(|| {
            AbortOnDropHandle::new(tokio::spawn(keep(address, set.clone(), connector.clone())))
        });
    }
}

/// Connects to `address` again and again.
async fn keep(address: SocketAddr, set: Set, connector: Connector) {
    let mut failures = 0;
    loop {
        match connector.connect(address).await {
            Ok(standing) => {
                tracing::debug!(%address, "connected");
                let _offered = set.offer(address, standing.sender);
                let ended = standing.ended;
                tokio::pin!(ended);
                if tokio::time::timeout(SHORT_LIFE, &mut ended).await.is_err() {
                    failures = 0;
                    let _ = ended.await;
                } else {
                    failures += 1;
                }
            }
            Err(error) => {
                // The first failure is news, the others are not.
                if failures == 0 {
                    tracing::info!(%address, error = format!("{error:#}"), "cannot connect");
                }
                failures += 1;
            }
        }
        if failures > 0 {
            tokio::time::sleep(RECONNECT.delay(failures - 1)).await;
        }
    }
}
