use std::time::Duration;

use super::{Subject, address, claim, enqueue, message, received_at, reply, settle, settlement, transaction};
use crate::{AttemptRecord, QueueError, QueueFilter, QueueStats, RecipientStatus, Settlement, Verdict};

pub(super) async fn list_filters_and_pages(subject: &dyn Subject) {
    let first = message("a@north.test", &["b@south.test"]);
    let second = message("z@north.test", &["b@south.test", "c@east.test"]);
    let third = message("a@north.test", &["c@east.test"]);
    for request in [&first, &second, &third] {
        enqueue(subject, request).await;
    }
    let list = |filter: QueueFilter| async move {
        let listed = subject.queue().list(&filter).await.expect("list");
        listed.into_iter().map(|message| message.transaction).collect::<Vec<_>>()
    };
    let all = QueueFilter::default();
    assert_eq!(list(all.clone()).await, [first.transaction, second.transaction, third.transaction]);
    let of_a = QueueFilter { sender: Some(address("a@north.test")), ..all.clone() };
    assert_eq!(list(of_a).await, [first.transaction, third.transaction]);
    let east = Some(address("x@east.test").domain().clone());
    let to_east = QueueFilter { recipient_domain: east, ..all.clone() };
    assert_eq!(list(to_east).await, [second.transaction, third.transaction]);
    let page = QueueFilter { limit: 1, after: Some(first.transaction), ..all };
    assert_eq!(list(page).await, [second.transaction]);
}

pub(super) async fn show_tells_the_history(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "c@south.test"]);
    enqueue(subject, &request).await;
    let before = subject.queue().show(request.transaction).await.expect("show");
    assert_eq!(before.sender, request.sender);
    assert_eq!(before.size, request.body.len());
    assert_eq!(before.received_at, received_at());
    assert!(before.recipients.iter().all(|recipient| {
        recipient.status == RecipientStatus::Waiting
            && recipient.attempts == 0
            && recipient.last_reply.is_none()
            && recipient.next_attempt_at.is_some()
    }));
    let claimed = claim(subject, 10).await;
    settle(subject, &claimed[0], Verdict::Deferred).await;
    let after = subject.queue().show(request.transaction).await.expect("show");
    let said = reply(451, "4.3.0", "later");
    let expected = AttemptRecord {
        started_at: received_at(),
        elapsed: Duration::from_millis(15),
        destination: "mx.example.test".to_owned(),
        replies: request.recipients.iter().map(|address| (address.clone(), said.clone())).collect(),
    };
    assert_eq!(after.attempts, [expected]);
    assert_eq!(after.recipients[0].last_reply, Some(said));
    assert!(after.recipients[0].next_attempt_at > before.recipients[0].next_attempt_at);
}

pub(super) async fn unknown_transactions_are_not_found(subject: &dyn Subject) {
    let queue = subject.queue();
    let unknown = transaction();
    assert!(matches!(queue.show(unknown).await, Err(QueueError::NotFound { .. })));
    assert!(matches!(queue.retry(Some(unknown)).await, Err(QueueError::NotFound { .. })));
    assert!(matches!(queue.cancel(unknown).await, Err(QueueError::NotFound { .. })));
    assert_eq!(queue.retry(None).await, Ok(0));
}

pub(super) async fn retry_makes_waiting_deliveries_due(subject: &dyn Subject) {
    let one = message("a@north.test", &["b@south.test"]);
    let two = message("a@north.test", &["b@east.test"]);
    enqueue(subject, &one).await;
    enqueue(subject, &two).await;
    for delivery in claim(subject, 10).await {
        let suspend = Some(Duration::from_secs(600));
        let paused = Settlement { suspend, ..settlement(&delivery, Verdict::Deferred) };
        subject.schedule().settle(paused).await.expect("settle");
    }
    assert!(claim(subject, 10).await.is_empty());
    assert_eq!(subject.queue().retry(Some(one.transaction)).await, Ok(1));
    let hurried = claim(subject, 10).await;
    assert_eq!(hurried.len(), 1, "also past the suspension");
    assert_eq!(hurried[0].transaction, one.transaction);
    assert_eq!(subject.queue().retry(None).await, Ok(1), "a delivery under way is left alone");
    assert_eq!(claim(subject, 10).await.len(), 1);
}

pub(super) async fn cancel_drops_what_waits(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "c@south.test", "d@east.test"]);
    enqueue(subject, &request).await;
    assert_eq!(subject.queue().cancel(request.transaction).await, Ok(3));
    assert!(claim(subject, 10).await.is_empty());
    assert!(subject.queue().list(&QueueFilter::default()).await.expect("list").is_empty());
    let shown = subject.queue().show(request.transaction).await.expect("show");
    assert!(shown.recipients.iter().all(|recipient| recipient.status == RecipientStatus::Cancelled));
    assert_eq!(subject.queue().cancel(request.transaction).await, Ok(0));
}

pub(super) async fn cancel_leaves_a_delivery_under_way(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "d@east.test"]);
    enqueue(subject, &request).await;
    let claimed = claim(subject, 1).await;
    assert_eq!(subject.queue().cancel(request.transaction).await, Ok(1));
    settle(subject, &claimed[0], Verdict::Delivered).await;
    let shown = subject.queue().show(request.transaction).await.expect("show");
    let mut standing: Vec<_> = shown.recipients.iter().map(|recipient| recipient.status).collect();
    standing.sort_by_key(|status| *status == RecipientStatus::Cancelled);
    assert_eq!(standing, [RecipientStatus::Delivered, RecipientStatus::Cancelled]);
    assert!(subject.queue().list(&QueueFilter::default()).await.expect("list").is_empty());
}

pub(super) async fn stats_count(subject: &dyn Subject) {
    assert_eq!(subject.queue().stats().await, Ok(QueueStats::default()));
    enqueue(subject, &message("a@north.test", &["b@south.test", "c@east.test"])).await;
    enqueue(subject, &message("a@north.test", &["b@south.test", "d@south.test"])).await;
    claim(subject, 1).await;
    let stats = subject.queue().stats().await.expect("stats");
    assert_eq!((stats.messages, stats.recipients, stats.due, stats.in_flight), (2, 4, 2, 1));
    for delivery in claim(subject, 10).await {
        settle(subject, &delivery, Verdict::Delivered).await;
    }
    let stats = subject.queue().stats().await.expect("stats");
    assert_eq!((stats.due, stats.in_flight), (0, 1));
    assert!(stats.oldest_age > Duration::ZERO);
}
