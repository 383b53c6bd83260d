use std::time::Duration;

use bytes::Bytes;

use super::{
    Subject, address, claim, enqueue, message, octets, reply, settle, settlement, transaction, worker,
};
use crate::{
    ClaimedDelivery, Notice, QueueError, QueueFilter, RecipientResult, RecipientStatus, Settlement, Verdict,
};

pub(super) async fn delivered_recipients_leave_the_queue(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "c@east.test"]);
    enqueue(subject, &request).await;
    let claimed = claim(subject, 10).await;
    settle(subject, &claimed[0], Verdict::Delivered).await;
    let listed = subject.queue().list(&QueueFilter::default()).await.expect("list");
    assert_eq!(listed.len(), 1, "one recipient still waits");
    settle(subject, &claimed[1], Verdict::Delivered).await;
    assert!(subject.queue().list(&QueueFilter::default()).await.expect("list").is_empty());
    subject.elapse(Duration::from_secs(3_600)).await;
    assert!(claim(subject, 10).await.is_empty());
    let shown = subject.queue().show(request.transaction).await.expect("the history is kept");
    assert!(shown.recipients.iter().all(|recipient| recipient.status == RecipientStatus::Delivered));
}

pub(super) async fn deferred_recipients_come_back_when_due(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    settle(subject, &claimed[0], Verdict::Deferred).await;
    subject.elapse(Duration::from_secs(299)).await;
    assert!(claim(subject, 10).await.is_empty());
    subject.elapse(Duration::from_secs(2)).await;
    let again = claim(subject, 10).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].attempts, 1);
    assert_eq!(again[0].recipients, claimed[0].recipients);
}

pub(super) async fn results_are_per_recipient(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "c@south.test", "d@south.test"]);
    enqueue(subject, &request).await;
    let claimed = claim(subject, 10).await;
    let results = mixed(&claimed[0]);
    let mixed = Settlement { results, ..settlement(&claimed[0], Verdict::Deferred) };
    subject.schedule().settle(mixed).await.expect("settle");
    let shown = subject.queue().show(request.transaction).await.expect("show");
    let standing: Vec<_> =
        shown.recipients.iter().map(|r| (r.address.local().to_owned(), r.status, r.attempts)).collect();
    let expected = [
        ("b".to_owned(), RecipientStatus::Delivered, 1),
        ("c".to_owned(), RecipientStatus::Failed, 1),
        ("d".to_owned(), RecipientStatus::Waiting, 1),
    ];
    assert_eq!(standing, expected);
    assert_eq!(shown.recipients[1].last_reply, Some(reply(550, "5.1.1", "no such user")));
    subject.elapse(Duration::from_secs(301)).await;
    let again = claim(subject, 10).await;
    assert_eq!(again[0].recipients.len(), 1, "only the deferred one is tried again");
    assert_eq!(again[0].recipients[0].1, address("d@south.test"));
}

fn mixed(delivery: &ClaimedDelivery) -> Vec<RecipientResult> {
    let said = [
        (Verdict::Delivered, reply(250, "2.0.0", "ok")),
        (Verdict::Failed, reply(550, "5.1.1", "no such user")),
        (Verdict::Deferred, reply(451, "4.3.0", "later")),
    ];
    let result =
        |((id, _), (verdict, reply)): (&(_, _), _)| RecipientResult { recipient: *id, verdict, reply };
    delivery.recipients.iter().zip(said).map(result).collect()
}

pub(super) async fn incomplete_results_are_refused(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test", "c@south.test"])).await;
    let claimed = claim(subject, 10).await;
    let mut incomplete = settlement(&claimed[0], Verdict::Delivered);
    incomplete.results.pop();
    let answer = subject.schedule().settle(incomplete).await;
    assert!(matches!(answer, Err(QueueError::Invalid { .. })), "{answer:?}");
    settle(subject, &claimed[0], Verdict::Delivered).await;
}

pub(super) async fn notices_are_queued_from_the_null_sender(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    let bounce = bounce();
    let failed = Settlement { notices: vec![bounce.clone()], ..settlement(&claimed[0], Verdict::Failed) };
    subject.schedule().settle(failed).await.expect("settle");
    let queued = claim(subject, 10).await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].transaction, bounce.transaction);
    assert_eq!(queued[0].sender, None);
    assert_eq!(queued[0].recipients[0].1, bounce.recipient);
    let stored = subject.schedule().body(&queued[0]).await.expect("body");
    assert_eq!(octets(stored).await, bounce.body);
}

pub(super) async fn lost_lease_queues_no_notice(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let first = claim(subject, 10).await;
    subject.elapse(worker(1).lease + Duration::from_secs(1)).await;
    let second = claim(subject, 10).await;
    let late = Settlement { notices: vec![bounce()], ..settlement(&first[0], Verdict::Failed) };
    assert_eq!(subject.schedule().settle(late).await, Err(QueueError::LeaseLost));
    assert!(claim(subject, 10).await.is_empty());
    settle(subject, &second[0], Verdict::Delivered).await;
}

pub(super) async fn delay_notice_is_remembered(subject: &dyn Subject) {
    enqueue(subject, &message("a@north.test", &["b@south.test"])).await;
    let claimed = claim(subject, 10).await;
    let delayed = Settlement { delay_notified: true, ..settlement(&claimed[0], Verdict::Deferred) };
    subject.schedule().settle(delayed).await.expect("settle");
    for _ in 0..2 {
        subject.elapse(Duration::from_secs(301)).await;
        let again = claim(subject, 10).await;
        assert!(again[0].delay_notified);
        settle(subject, &again[0], Verdict::Deferred).await;
    }
}

fn bounce() -> Notice {
    Notice {
        transaction: transaction(),
        recipient: address("a@north.test"),
        body: Bytes::from_static(b"Subject: undeliverable\r\n\r\nsorry\r\n"),
    }
}
