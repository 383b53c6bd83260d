use bytes::Bytes;

use super::{Subject, address, claim, enqueue, message, octets, received_at, settle};
use crate::{EnqueueRequest, QueueError, QueueFilter, Verdict};

pub(super) async fn enqueue_is_idempotent_by_transaction(subject: &dyn Subject) {
    let request = message("alice@north.test", &["bob@south.test"]);
    assert!(enqueue(subject, &request).await);
    assert!(!enqueue(subject, &request).await, "the second call of a transaction is not fresh");
    let other = message("alice@north.test", &["bob@south.test"]);
    let together = [request.clone(), other.clone(), other.clone()];
    let calls = together.map(|request| async move { enqueue(subject, &request).await });
    let fresh = futures_util::future::join_all(calls).await;
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1, "{fresh:?}");
    assert_eq!(subject.queue().list(&QueueFilter::default()).await.unwrap_or_default().len(), 2);
    assert_eq!(claim(subject, 10).await.len(), 2);
}

pub(super) async fn enqueue_after_delivery_queues_nothing(subject: &dyn Subject) {
    let request = message("alice@north.test", &["bob@south.test"]);
    enqueue(subject, &request).await;
    let claimed = claim(subject, 10).await;
    settle(subject, &claimed[0], Verdict::Delivered).await;
    assert!(!enqueue(subject, &request).await);
    assert!(claim(subject, 10).await.is_empty());
}

pub(super) async fn recipients_are_grouped_by_domain(subject: &dyn Subject) {
    let request = message("a@north.test", &["b@south.test", "c@east.test", "d@SOUTH.test"]);
    enqueue(subject, &request).await;
    let mut groups: Vec<(String, Vec<String>)> = claim(subject, 10)
        .await
        .into_iter()
        .map(|delivery| {
            let recipients = delivery.recipients.iter().map(|(_, address)| address.to_string()).collect();
            (delivery.destination.domain.to_string(), recipients)
        })
        .collect();
    groups.sort();
    let expected = [("east.test", vec!["c@east.test"]), ("south.test", vec!["b@south.test", "d@south.test"])];
    assert_eq!(groups.len(), 2);
    for ((domain, recipients), (expected_domain, expected_recipients)) in groups.iter().zip(expected) {
        assert_eq!(domain, expected_domain);
        assert_eq!(recipients, &expected_recipients);
    }
}

pub(super) async fn invalid_recipients_are_refused(subject: &dyn Subject) {
    for recipients in [&[][..], &["b@south.test", "b@south.test"]] {
        let answer = subject.queue().enqueue(message("a@north.test", recipients)).await;
        assert!(matches!(answer, Err(QueueError::Invalid { .. })), "{answer:?}");
    }
    assert!(claim(subject, 10).await.is_empty());
}

pub(super) async fn body_and_envelope_come_back(subject: &dyn Subject) {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = Bytes::from("Subject: x\r\n\r\n".to_owned() + &"0123456789abcdef".repeat(40_000));
    let request = EnqueueRequest {
        sender: None,
        eight_bit: true,
        traceparent: Some(traceparent.to_owned()),
        body: body.clone().into(),
        ..message("a@north.test", &["\"b c\"@south.test"])
    };
    enqueue(subject, &request).await;
    let claimed = claim(subject, 10).await;
    let delivery = &claimed[0];
    assert_eq!(delivery.transaction, request.transaction);
    assert_eq!(delivery.sender, None);
    assert_eq!(delivery.recipients[0].1, address("\"b c\"@south.test"));
    assert!(delivery.eight_bit);
    assert_eq!(delivery.size, body.len() as u64);
    assert_eq!(delivery.received_at, received_at());
    assert!(delivery.expires_at > delivery.received_at);
    assert_eq!(delivery.attempts, 0);
    assert!(!delivery.delay_notified);
    assert_eq!(delivery.traceparent.as_deref(), Some(traceparent));
    let stored = subject.schedule().body(delivery).await.expect("body");
    assert_eq!(stored.len(), body.len() as u64);
    assert_eq!(octets(stored).await, body);
}
