//! Any fixture behind gRPC: real servers on loopback ports, real signed tokens, one client for each workload.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use staffetta_chassis::clock::Clock as _;
use staffetta_chassis::config::Secret;
use staffetta_chassis::drain::Draining;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::token::{Claims, SigningKey, TokenSigner, TokenVerifier};
use staffetta_directory_api::{AccountId, Scope, ShardName};
use uuid::Uuid;

use super::Fixture;
use crate::grpc::client::MailstoreClient;
use crate::grpc::server::{MailstoreServer, ServerParts};
use crate::{
    Access, Accounts, AppendRequest, Appended, Bodies, BodyChunk, BodyRange, Copied, CopyRequest,
    DeliverRequest, Delivered, Delivery, ExpungeRequest, Expunged, FetchRequest, FetchedMessage,
    IdempotencyKey, Listing, Mailbox, MailboxId, MailboxName, MailboxStatus, Mailboxes, Maildrop,
    MaildropLease, Maildrops, Mailstore, MailstoreError, Messages, OpenRequest, Opened, PurgeProgress,
    QuotaUsage, Search, SearchHits, SearchRequest, SpecialUse, StoreOutcome, StoreRequest, SyncDelta,
    SyncRequest, UidSet, Watch, WatchCommand, WatchEvent,
};

/// Tokens outlive every case, however far it moves the clock.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 86_400);
const WORKLOAD_KEY: &str = "contract";

/// The same store, reached through a gRPC server for each of its handles. Must be called inside a runtime.
///
/// # Panics
/// When the servers cannot be started.
pub async fn through_grpc(fixture: Fixture) -> Fixture {
    let key = SigningKey::generate("contract").expect("a signing key");
    let verifier = Arc::new(TokenVerifier::new(&[key.public().clone()]));
    let tasks = Tasks::new();
    let here = serve(Arc::clone(&fixture.mailstore), &fixture, &verifier, &tasks).await;
    let there = serve(Arc::clone(&fixture.other), &fixture, &verifier, &tasks).await;
    let (signer, clock) = (TokenSigner::new(&key), fixture.clock.clone());
    let access = move |account, epoch, quota| {
        let issued_at: chrono::DateTime<chrono::Utc> = clock.now().into();
        let claims = Claims {
            account,
            shard: ShardName::default(),
            epoch,
            quota,
            scopes: [Scope::Imap, Scope::Pop3].into_iter().collect(),
            workload: "imap-gateway".to_owned(),
            session: Uuid::new_v4(),
            issued_at,
            expires_at: issued_at + TOKEN_LIFE,
        };
        Access { account, epoch, quota, token: Some(signer.sign(&claims).expect("a token")) }
    };
    Fixture {
        mailstore: here,
        other: there,
        clock: fixture.clock,
        access: Arc::new(access),
        forget_expunged: fixture.forget_expunged,
        guard: Box::new(Running { tasks, _fixture: fixture.guard }),
    }
}

/// Ends the servers with the fixture.
struct Running {
    tasks: Tasks,
    _fixture: Box<dyn Any + Send>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn serve(
    mailstore: Arc<dyn Mailstore>,
    fixture: &Fixture,
    verifier: &Arc<TokenVerifier>,
    tasks: &Tasks,
) -> Arc<dyn Mailstore> {
    let context = Context::for_tests();
    let server = MailstoreServer::new(ServerParts {
        mailstore,
        verifier: Arc::clone(verifier),
        shard: ShardName::default(),
        clock: Arc::new(fixture.clock.clone()),
        spool: SpoolBudget::new(&SpoolConfig::default()),
        max_message_size: 64 * 1024 * 1024,
        draining: Draining::never(),
    });
    let loopback = ([127, 0, 0, 1], 0).into();
    let config = GrpcServerConfig::on(loopback, Secret::new(WORKLOAD_KEY));
    let port = GrpcServer::bind("contract", &config, &context, tasks).expect("a loopback port");
    let target = format!("http://{}", port.address());
    port.serve(server.routes(), staffetta_proto::FILE_DESCRIPTOR_SET, Draining::never())
        .await
        .expect("a server");
    let client = |workload: &str| {
        let config = GrpcClientConfig::to(&target, Secret::new(WORKLOAD_KEY));
        MailstoreClient::new(Channel::connect(&config, workload, &context).expect("a channel"))
    };
    Arc::new(Workloads {
        gateway: client("imap-gateway"),
        ingress: client("smtp-ingress"),
        ctl: client("ctl"),
    })
}

/// Each call by the workload that may make it.
struct Workloads {
    gateway: MailstoreClient,
    ingress: MailstoreClient,
    ctl: MailstoreClient,
}

#[async_trait]
impl Mailboxes for Workloads {
    async fn list(&self, access: &Access) -> Result<Listing, MailstoreError> {
        self.gateway.list(access).await
    }

    async fn create(
        &self,
        access: &Access,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, MailstoreError> {
        self.gateway.create(access, name, special_use).await
    }

    async fn rename(
        &self,
        access: &Access,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), MailstoreError> {
        self.gateway.rename(access, from, to).await
    }

    async fn delete(&self, access: &Access, name: &MailboxName) -> Result<(), MailstoreError> {
        self.gateway.delete(access, name).await
    }

    async fn subscribe(
        &self,
        access: &Access,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), MailstoreError> {
        self.gateway.subscribe(access, name, subscribed).await
    }

    async fn status(&self, access: &Access, name: &MailboxName) -> Result<MailboxStatus, MailstoreError> {
        self.gateway.status(access, name).await
    }

    async fn open(&self, access: &Access, request: &OpenRequest) -> Result<Opened, MailstoreError> {
        self.gateway.open(access, request).await
    }
}

#[async_trait]
impl Messages for Workloads {
    async fn sync(&self, access: &Access, request: &SyncRequest) -> Result<SyncDelta, MailstoreError> {
        self.gateway.sync(access, request).await
    }

    async fn fetch(
        &self,
        access: &Access,
        request: &FetchRequest,
    ) -> Result<BoxStream<'static, Result<FetchedMessage, MailstoreError>>, MailstoreError> {
        self.gateway.fetch(access, request).await
    }

    async fn store(&self, access: &Access, request: &StoreRequest) -> Result<StoreOutcome, MailstoreError> {
        self.gateway.store(access, request).await
    }

    async fn copy(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        self.gateway.copy(access, request).await
    }

    async fn relocate(&self, access: &Access, request: &CopyRequest) -> Result<Copied, MailstoreError> {
        self.gateway.relocate(access, request).await
    }

    async fn expunge(&self, access: &Access, request: &ExpungeRequest) -> Result<Expunged, MailstoreError> {
        self.gateway.expunge(access, request).await
    }
}

#[async_trait]
impl Bodies for Workloads {
    async fn read(
        &self,
        access: &Access,
        mailbox: MailboxId,
        ranges: &[BodyRange],
    ) -> Result<BoxStream<'static, Result<BodyChunk, MailstoreError>>, MailstoreError> {
        self.gateway.read(access, mailbox, ranges).await
    }
}

#[async_trait]
impl Delivery for Workloads {
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError> {
        self.gateway.append(access, request).await
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        self.ingress.deliver(request).await
    }
}

#[async_trait]
impl Search for Workloads {
    async fn search(&self, access: &Access, request: &SearchRequest) -> Result<SearchHits, MailstoreError> {
        self.gateway.search(access, request).await
    }
}

#[async_trait]
impl Watch for Workloads {
    async fn watch(
        &self,
        commands: BoxStream<'static, WatchCommand>,
    ) -> Result<BoxStream<'static, Result<WatchEvent, MailstoreError>>, MailstoreError> {
        self.gateway.watch(commands).await
    }
}

#[async_trait]
impl Maildrops for Workloads {
    async fn open_maildrop(&self, access: &Access) -> Result<Maildrop, MailstoreError> {
        self.gateway.open_maildrop(access).await
    }

    async fn renew_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        self.gateway.renew_maildrop(access, lease).await
    }

    async fn commit_maildrop(
        &self,
        access: &Access,
        lease: &MaildropLease,
        key: IdempotencyKey,
        deleted: &UidSet,
    ) -> Result<(), MailstoreError> {
        self.gateway.commit_maildrop(access, lease, key, deleted).await
    }

    async fn release_maildrop(&self, access: &Access, lease: &MaildropLease) -> Result<(), MailstoreError> {
        self.gateway.release_maildrop(access, lease).await
    }
}

#[async_trait]
impl Accounts for Workloads {
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError> {
        self.gateway.quota_usage(access).await
    }

    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError> {
        self.ctl.usage(accounts).await
    }

    async fn purge(&self, account: AccountId) -> Result<PurgeProgress, MailstoreError> {
        self.ctl.purge(account).await
    }
}
