use std::collections::BTreeSet;
use std::time::Duration;

use super::{Subject, claim, enqueue, leases, message, settle, settlement, worker};
use crate::{ClaimRequest, QueueError, Settlement, Verdict};

pub(super) async fn each_delivery_is_leased_once(subject: &dyn Subject) {
    for index in 0..20 {
        let domain = format!("b@south{index}.test");
        enqueue(subject, &message("a@north.test", &[&domain])).await;
    }
    let workers = (0..4).map(|_| claim(subject, 20));
    let claims = futures_util::future::join_all(workers).await;
    let mut leased: Vec<_> = claims.iter().flat_map(|claim| leases(claim)).map(|l| l.delivery).collect();
    // A worker that met locked rows may have come back with fewer; the rest is still there.
    leased.extend(leases(&claim(subject, 20).await).iter().map(|lease| lease.delivery));
    let distinct: BTreeSet<_> = leased.iter().collect();
    assert_eq!((leased.len(), distinct.len()), (20, 20));
    assert!(claim(subject, 20).await.is_empty());
}

pub(super) async fn limit_is_respected(subject: &dyn Subject) {
    for _ in 0..5 {
        enqueue(subject, &message("a@north.test", &["b@south.test", "c@east.test"])).await;
    }
    assert_eq!(claim(subject, 3).await.len(), 3);
    assert_eq!(claim(subject, 10).await.len(), 7);
}

pub(super) async fn destination_limit_counts_all_workers(subject: &dyn Subject) {
    for _ in 0..6 {
        enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    }
    enqueue(subject, &message("a@north.test", &["c@east.test"])).await;
    let narrow = ClaimRequest { per_destination: 2, ..worker(10) };
    let first = subject.schedule().claim(&narrow).await.expect("claim").deliveries;
    assert_eq!(first.len(), 3, "two to south, one to east");
    let other = ClaimRequest { worker: "another".to_owned(), ..narrow.clone() };
    assert!(subject.schedule().claim(&other).await.expect("claim").deliveries.is_empty());
    let south = first.iter().find(|delivery| delivery.destination.domain.as_str() == "south.test");
    settle(subject, south.expect("one of south"), Verdict::Delivered).await;
    assert_eq!(subject.schedule().claim(&other).await.expect("claim").deliveries.len(), 1);
}

pub(super) async fn destinations_take_turns(subject: &dyn Subject) {
    for _ in 0..10 {
        enqueue(subject, &message("a@north.test", &["b@busy.test"])).await;
    }
    enqueue(subject, &message("a@north.test", &["c@quiet.test"])).await;
    enqueue(subject, &message("a@north.test", &["d@calm.test"])).await;
    let mut served = BTreeSet::new();
    for _ in 0..3 {
        // Even one by one, nobody waits behind the busy destination's whole queue.
        let claimed = claim(subject, 1).await;
        served.insert(claimed[0].destination.domain.to_string());
    }
    assert_eq!(served.into_iter().collect::<Vec<_>>(), ["busy.test", "calm.test", "quiet.test"]);
}

pub(super) async fn suspended_destination_waits(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    let pause = Some(Duration::from_secs(120));
    let slow_down = Settlement {
        suspend: pause,
        retry_after: Duration::from_secs(10),
        ..settlement(&claimed[0], Verdict::Deferred)
    };
    subject.schedule().settle(slow_down).await.expect("settle");
    enqueue(subject, &message("a@north.test", &["c@south.test"])).await;
    subject.elapse(Duration::from_secs(60)).await;
    assert!(claim(subject, 10).await.is_empty());
    subject.elapse(Duration::from_secs(61)).await;
    assert_eq!(claim(subject, 10).await.len(), 2);
}

pub(super) async fn expired_lease_is_claimable_and_fenced(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let first = claim(subject, 10).await;
    subject.elapse(Duration::from_secs(59)).await;
    assert!(claim(subject, 10).await.is_empty(), "the lease still holds");
    subject.elapse(Duration::from_secs(2)).await;
    let second = claim(subject, 10).await;
    assert_eq!(second.len(), 1, "another worker takes over");
    assert_eq!(second[0].lease.delivery, first[0].lease.delivery);
    assert_ne!(second[0].lease.token, first[0].lease.token);
    let late = subject.schedule().settle(settlement(&first[0], Verdict::Failed)).await;
    assert_eq!(late, Err(QueueError::LeaseLost));
    let renewal = subject.schedule().renew(&first[0].lease, Duration::from_secs(60)).await;
    assert_eq!(renewal, Err(QueueError::LeaseLost));
    settle(subject, &second[0], Verdict::Delivered).await;
}

pub(super) async fn expired_lease_settles_while_nobody_took_over(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    subject.elapse(Duration::from_secs(61)).await;
    let renewal = subject.schedule().renew(&claimed[0].lease, Duration::from_secs(60)).await;
    assert_eq!(renewal, Err(QueueError::LeaseLost), "an expired lease is not renewed");
    settle(subject, &claimed[0], Verdict::Delivered).await;
    assert!(claim(subject, 10).await.is_empty());
    let again = subject.schedule().settle(settlement(&claimed[0], Verdict::Delivered)).await;
    assert_eq!(again, Err(QueueError::LeaseLost), "a lease settles once");
}

pub(super) async fn renewed_lease_lasts(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    subject.elapse(Duration::from_secs(50)).await;
    subject.schedule().renew(&claimed[0].lease, Duration::from_secs(60)).await.expect("renew");
    subject.elapse(Duration::from_secs(50)).await;
    assert!(claim(subject, 10).await.is_empty());
    settle(subject, &claimed[0], Verdict::Delivered).await;
}

pub(super) async fn released_lease_is_claimable_at_once(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let first = claim(subject, 10).await;
    subject.schedule().release(&leases(&first)).await.expect("release");
    let second = claim(subject, 10).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].attempts, 0, "a released lease was no attempt");
    subject.schedule().release(&leases(&first)).await.expect("a lost lease is skipped");
    assert!(claim(subject, 10).await.is_empty(), "the old lease releases nothing");
}

pub(super) async fn wait_due_ends_at_an_enqueue(subject: &dyn Subject) {
    let wait = subject.schedule().wait_due(Duration::from_secs(3_600));
    let arrive = async { enqueue(subject, &message("a@north.test", &["b@south.test"])).await };
    tokio::time::timeout(Duration::from_secs(30), futures_util::future::join(wait, arrive))
        .await
        .expect("an enqueue wakes the workers");
}
