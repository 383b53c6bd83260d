//! Who may call what.

use std::time::Duration;

use bytes::Bytes;
use staffetta_directory_api::{AccountId, Quota, Scope, ShardEpoch, ShardName};
use uuid::Uuid;

use super::Wire;
use crate::grpc::client::MailstoreClient;
use crate::{
    Accounts, AppendRequest, Bodies, DeliverRequest, Delivery, DeliveryTarget, FetchItems, FetchRequest,
    Flags, IdempotencyKey, MailboxName, Mailboxes, Maildrops, MailstoreError, Messages, TransactionId,
    UidSet,
};

fn delivery() -> DeliverRequest {
    let target = DeliveryTarget { account: AccountId(1), epoch: ShardEpoch(1), quota: Quota::UNLIMITED };
    DeliverRequest {
        transaction: TransactionId(Uuid::now_v7()),
        targets: vec![target],
        body: Bytes::from_static(b"Subject: x\r\n\r\n").into(),
    }
}

fn is_denied<T>(result: &Result<T, MailstoreError>) -> bool {
    matches!(result, Err(MailstoreError::AccessDenied { .. }))
}

#[tokio::test]
async fn only_a_good_token_opens_an_account() {
    let wire = Wire::start().await;
    let client = wire.client("imap-gateway");
    let good = wire.access(&[Scope::Imap]);
    assert!(client.list(&good).await.is_ok());

    let mut none = good.clone();
    none.token = None;
    assert!(is_denied(&client.list(&none).await));
    let mut garbled = good.clone();
    garbled.token = Some(staffetta_directory_api::SessionToken("e30.e30.AAAA".into()));
    assert!(is_denied(&client.list(&garbled).await));
    let other_shard = wire.access_with(&[Scope::Imap], |claims| claims.shard = ShardName("two".to_owned()));
    assert!(is_denied(&client.list(&other_shard).await));
    // Another platform's key of the same name.
    let forged = Wire::start().await.access(&[Scope::Imap]);
    assert!(is_denied(&client.list(&forged).await));

    wire.clock.advance(Duration::from_secs(15 * 60));
    assert!(is_denied(&client.list(&good).await), "expired");
    assert!(client.list(&wire.access(&[Scope::Imap])).await.is_ok(), "renewed");
}

#[tokio::test]
async fn the_token_outweighs_what_the_caller_says() {
    let wire = Wire::start().await;
    let client = wire.client("imap-gateway");
    let mut access =
        wire.access_with(&[Scope::Imap], |claims| claims.quota = Quota { bytes: 4, messages: 0 });
    access.account = AccountId(2);
    access.quota = Quota::UNLIMITED;
    let request = AppendRequest {
        key: IdempotencyKey(Uuid::new_v4()),
        mailbox: MailboxName::inbox(),
        flags: Flags::NONE,
        received_at: None,
        body: Bytes::from_static(b"fives").into(),
    };
    assert_eq!(client.append(&access, request).await, Err(MailstoreError::OverQuota));
    assert_eq!(client.quota_usage(&access).await.unwrap().limit.bytes, 4);
    assert_eq!(wire.store.usage(&[AccountId(1), AccountId(2)]).await.unwrap()[1].messages, 0);
}

#[tokio::test]
async fn scopes_decide_what_a_session_may_do() {
    let wire = Wire::start().await;
    let client = wire.client("pop3-gateway");
    client_delivers(&wire).await;
    let (imap, pop3, submit) =
        (wire.access(&[Scope::Imap]), wire.access(&[Scope::Pop3]), wire.access(&[Scope::Submit]));
    let maildrop = client.open_maildrop(&pop3).await.unwrap();
    let fetch = FetchRequest {
        mailbox: maildrop.mailbox,
        uids: UidSet::all(),
        items: FetchItems::default(),
        changed_since: None,
    };
    for access in [&imap, &pop3] {
        assert!(client.fetch(access, &fetch).await.is_ok());
        assert!(client.read(access, maildrop.mailbox, &[]).await.is_ok());
        assert!(client.quota_usage(access).await.is_ok());
    }
    assert!(is_denied(&client.list(&pop3).await));
    assert!(is_denied(&client.open_maildrop(&imap).await));
    assert!(is_denied(&client.list(&submit).await));
    assert!(is_denied(&client.quota_usage(&submit).await));
    assert!(is_denied(&client.read(&submit, maildrop.mailbox, &[]).await));
}

async fn client_delivers(wire: &Wire) {
    wire.client("smtp-ingress").deliver(delivery()).await.unwrap();
}

#[tokio::test]
async fn workloads_decide_who_delivers_and_purges() {
    let wire = Wire::start().await;
    let account = AccountId(1);
    for (workload, delivers, counts, purges) in [
        ("smtp-ingress", true, true, false),
        ("outbound", true, false, false),
        ("ctl", false, true, true),
        ("operator", false, false, true),
        ("imap-gateway", false, false, false),
        ("pop3-gateway", false, false, false),
    ] {
        let client = wire.client(workload);
        assert_eq!(is_denied(&client.usage(&[account]).await), !counts, "{workload}");
        assert_eq!(is_denied(&client.deliver(delivery()).await), !delivers, "{workload}");
        assert_eq!(is_denied(&client.purge(AccountId(99)).await), !purges, "{workload}");
    }
    for key in ["wrong", ""] {
        let stranger = MailstoreClient::new(wire.channel("smtp-ingress", key));
        assert!(is_denied(&stranger.deliver(delivery()).await), "key {key:?}");
    }
    // Ingress may deliver but not read: a workload is no token.
    let ingress = wire.client("smtp-ingress");
    let mut access = wire.access(&[Scope::Imap]);
    access.token = None;
    assert!(is_denied(&ingress.list(&access).await));
}
