//! The whole process, as others see it.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use staffetta_chassis::config::{self, Secret};
use staffetta_chassis::grpc::{Channel, GrpcClientConfig};
use staffetta_chassis::process::{Context, Service};
use staffetta_chassis::spool::Spooled;
use staffetta_chassis::testing::TestDatabase;
use staffetta_directory_api::token::{Claims, SigningKey, TokenSigner};
use staffetta_directory_api::{AccountId, Quota, Scope, ShardEpoch, ShardName};
use staffetta_mailstore_api::grpc::client::MailstoreClient;
use staffetta_mailstore_api::{
    Access, DeliverRequest, Delivery, DeliveryTarget, MailboxName, Mailboxes, MailstoreError, TransactionId,
};
use uuid::Uuid;

use crate::{Mailstore, MailstoreConfig};

const MAIL: &[u8] = b"Subject: x\r\n\r\ny\r\n";

struct Process {
    service: Mailstore,
    client: MailstoreClient,
    signer: TokenSigner,
    _folder: tempfile::TempDir,
}

async fn start(database: &TestDatabase, folder: tempfile::TempDir) -> Process {
    let key = SigningKey::generate("one").expect("key");
    std::fs::create_dir_all(folder.path().join("keys")).expect("folder");
    key.public().write(&folder.path().join("keys")).expect("public key");
    let text = format!(
        r#"
        [grpc]
        address = "127.0.0.1:0"
        workload_keys = ["key"]
        [database]
        url = "postgres://replaced"
        [store]
        type = "directory"
        path = "{root}/objects"
        [tokens]
        public_keys = "{root}/keys"
        "#,
        root = folder.path().display()
    );
    let mut config: MailstoreConfig = config::parse(&text, []).expect("settings");
    config.database = database.config();
    let service = Mailstore::start(config, Context::for_tests()).await.expect("start");
    let target = format!("http://{}", service.endpoints()[0].1);
    let config = GrpcClientConfig::to(&target, Secret::new("key"));
    let channel = Channel::connect(&config, "smtp-ingress", &Context::for_tests()).expect("channel");
    Process {
        service,
        client: MailstoreClient::new(channel),
        signer: TokenSigner::new(&key),
        _folder: folder,
    }
}

impl Process {
    fn access(&self) -> Access {
        let now: DateTime<Utc> = std::time::UNIX_EPOCH.into();
        let claims = Claims {
            account: AccountId(1),
            shard: ShardName::default(),
            epoch: ShardEpoch(1),
            quota: Quota::UNLIMITED,
            scopes: Scope::Imap.into(),
            workload: "imap-gateway".to_owned(),
            session: Uuid::new_v4(),
            issued_at: now,
            expires_at: now + Duration::from_secs(1 << 33),
        };
        let token = Some(self.signer.sign(&claims).expect("token"));
        Access { account: claims.account, epoch: claims.epoch, quota: claims.quota, token }
    }
}

async fn deliver(client: &MailstoreClient) -> Result<TransactionId, MailstoreError> {
    let transaction = TransactionId(Uuid::now_v7());
    let target = DeliveryTarget { account: AccountId(1), epoch: ShardEpoch(1), quota: Quota::UNLIMITED };
    let body = Spooled::from(Bytes::from_static(MAIL));
    client.deliver(DeliverRequest { transaction, targets: vec![target], body }).await?;
    Ok(transaction)
}

#[tokio::test]
async fn a_drain_under_load_loses_nothing_that_was_answered() {
    let database = TestDatabase::create().await;
    let process = start(&database, tempfile::tempdir().expect("folder")).await;
    deliver(&process.client).await.expect("the first");
    let client = process.client.clone();
    let load = tokio::spawn(join_all((0..20).map(move |_| {
        let client = client.clone();
        async move {
            let mut delivered = Vec::new();
            // Until the door is closed.
            while let Ok(transaction) = deliver(&client).await {
                delivered.push(transaction);
            }
            delivered
        }
    })));
    let begun = deliver(&process.client).await;
    begun.expect("under load");
    process.service.drain(Duration::from_secs(20)).await;
    let answered: usize = load.await.expect("senders").iter().map(Vec::len).sum::<usize>() + 2;

    let again = start(&database, tempfile::tempdir().expect("folder")).await;
    let status = again.client.status(&again.access(), &MailboxName::inbox()).await.expect("status");
    let stored = usize::try_from(status.messages).expect("few");
    // A sender that was cut may have been stored without knowing; no more than one each.
    assert!(stored >= answered && stored <= answered + 20, "{answered} answered, {stored} stored");
    again.service.drain(Duration::from_secs(5)).await;
}
