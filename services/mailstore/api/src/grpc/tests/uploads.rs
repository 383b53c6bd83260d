//! Bodies on their way in.

use bytes::Bytes;
use futures_util::stream;
use staffetta_chassis::spool::Spooled;
use staffetta_directory_api::{AccountId, Quota, Scope, ShardEpoch};
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::delivery_service_client::DeliveryServiceClient;
use tonic::{Code, Request};
use uuid::Uuid;

use super::Wire;
use crate::{
    AppendRequest, DeliverRequest, Delivery, DeliveryTarget, Flags, IdempotencyKey, MailboxName, Mailboxes,
    MailstoreError, Refusal, RefusalReason, TransactionId,
};

fn append(body: Spooled) -> AppendRequest {
    AppendRequest {
        key: IdempotencyKey(Uuid::new_v4()),
        mailbox: MailboxName::inbox(),
        flags: Flags::NONE,
        received_at: None,
        body,
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_before_it_is_received() {
    let wire = Wire::start().await;
    let fits: Spooled = Bytes::from(vec![b'x'; 1024 * 1024]).into();
    let large: Spooled = Bytes::from(vec![b'x'; 1024 * 1024 + 1]).into();
    let access = wire.access(&[Scope::Imap]);
    let client = wire.client("smtp-ingress");
    assert!(client.append(&access, append(fits)).await.is_ok());
    let refused = client.append(&access, append(large.clone())).await;
    assert!(matches!(refused, Err(MailstoreError::Limit { .. })), "{refused:?}");
    let target = DeliveryTarget { account: AccountId(1), epoch: ShardEpoch(1), quota: Quota::UNLIMITED };
    let request =
        DeliverRequest { transaction: TransactionId(Uuid::now_v7()), targets: vec![target], body: large };
    let refusal = Refusal { account: AccountId(1), reason: RefusalReason::TooLarge };
    assert_eq!(client.deliver(request).await, Err(MailstoreError::Refused { refusals: vec![refusal] }));
    assert_eq!(wire.budget.used(), (0, 0), "nothing is kept once a call is answered");
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_not_stored() {
    let wire = Wire::start().await;
    let access = wire.access(&[Scope::Imap]);
    let bearer = format!("Bearer {}", access.token.as_ref().unwrap().0);
    for (size, chunks) in [(10, vec!["short"]), (3, vec!["longer"]), (8, vec!["first", "and more"])] {
        let mut header = Some(proto::AppendHeader {
            key: Bytes::copy_from_slice(Uuid::new_v4().as_bytes()),
            mailbox: "INBOX".to_owned(),
            size,
            ..Default::default()
        });
        let pieces = chunks.into_iter().map(move |chunk| proto::AppendMessageRequest {
            header: header.take(),
            chunk: Bytes::from_static(chunk.as_bytes()),
        });
        let mut request = Request::new(stream::iter(pieces));
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let mut service = DeliveryServiceClient::new(wire.channel("imap-gateway", "key"));
        let refused = service.append_message(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{size}");
    }
    let status = wire.store.status(&access, &MailboxName::inbox()).await.unwrap();
    assert_eq!((status.messages, wire.budget.used()), (0, (0, 0)));
}

#[tokio::test]
async fn a_store_that_is_away_is_told_as_such() {
    let wire = Wire::start().await;
    let access = wire.access(&[Scope::Imap]);
    let away = MailstoreError::Unavailable { message: "database".to_owned() };
    wire.store.fail_with(Some(away.clone()));
    let client = wire.client("imap-gateway");
    assert_eq!(client.list(&access).await, Err(away.clone()));
    let body: Spooled = Bytes::from_static(b"mail").into();
    assert_eq!(client.append(&access, append(body.clone())).await, Err(away));
    wire.store.fail_with(None);
    assert!(client.append(&access, append(body)).await.is_ok());
}
