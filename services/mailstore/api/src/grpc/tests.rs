//! The adapters together: the whole contract through a round trip, and what only the wire can get wrong.

mod admission;
mod uploads;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_chassis::clock::{Clock as _, Manual};
use staffetta_chassis::config::Secret;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::token::{Claims, SigningKey, TokenSigner, TokenVerifier};
use staffetta_directory_api::{AccountId, Quota, Scope, ShardEpoch, ShardName};
use uuid::Uuid;

use super::client::MailstoreClient;
use super::server::{MailstoreServer, ServerParts};
use crate::contract::{Fixture, through_grpc};
use crate::{Access, MailstoreError, MemoryMailstore, Refusal, RefusalReason};

async fn fixture() -> Fixture {
    through_grpc(crate::memory::tests::fixture().await).await
}

crate::contract_tests!(fixture);

/// The fake behind one server, with everything in hand that the wire depends on.
struct Wire {
    clock: Manual,
    store: MemoryMailstore,
    drain: Drain,
    signer: TokenSigner,
    budget: SpoolBudget,
    target: String,
    tasks: Tasks,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Wire {
    async fn start() -> Self {
        let clock = Manual::at_unix(1_800_000_000);
        let key = SigningKey::generate("one").unwrap();
        let (drain, tasks, context) = (Drain::new(), Tasks::new(), Context::for_tests());
        let store = MemoryMailstore::new(Arc::new(clock.clone()));
        let budget = SpoolBudget::new(&SpoolConfig::default());
        let server = MailstoreServer::new(ServerParts {
            mailstore: Arc::new(store.clone()),
            verifier: Arc::new(TokenVerifier::new(&[key.public().clone()])),
            shard: ShardName::default(),
            clock: Arc::new(clock.clone()),
            spool: budget.clone(),
            max_message_size: 1024 * 1024,
            draining: drain.watch(),
        });
        let config = GrpcServerConfig::on(([127, 0, 0, 1], 0).into(), Secret::new("key"));
        let port = GrpcServer::bind("grpc", &config, &context, &tasks).unwrap();
        let target = format!("http://{}", port.address());
        port.serve(server.routes(), staffetta_proto::FILE_DESCRIPTOR_SET, drain.watch()).await.unwrap();
        Self { clock, store, drain, signer: TokenSigner::new(&key), budget, target, tasks }
    }

    fn channel(&self, workload: &str, key: &str) -> Channel {
        let config = GrpcClientConfig::to(&self.target, Secret::new(key));
        Channel::connect(&config, workload, &Context::for_tests()).unwrap()
    }

    fn client(&self, workload: &str) -> MailstoreClient {
        MailstoreClient::new(self.channel(workload, "key"))
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now().into()
    }

    /// A token of 15 minutes for account 1 with some scopes.
    fn access(&self, scopes: &[Scope]) -> Access {
        self.access_with(scopes, |_| {})
    }

    fn access_with(&self, scopes: &[Scope], change: impl FnOnce(&mut Claims)) -> Access {
        let mut claims = Claims {
            account: AccountId(1),
            shard: ShardName::default(),
            epoch: ShardEpoch(1),
            quota: Quota::UNLIMITED,
            scopes: scopes.iter().copied().collect(),
            workload: "imap-gateway".to_owned(),
            session: Uuid::new_v4(),
            issued_at: self.now(),
            expires_at: self.now() + Duration::from_secs(15 * 60),
        };
        change(&mut claims);
        let token = Some(self.signer.sign(&claims).unwrap());
        Access { account: claims.account, epoch: claims.epoch, quota: claims.quota, token }
    }
}

#[test]
fn every_error_crosses_the_wire_whole() {
    let message = || "why".to_owned();
    for error in [
        MailstoreError::MailboxNotFound,
        MailstoreError::MailboxExists,
        MailstoreError::Cannot { message: message() },
        MailstoreError::Limit { message: message() },
        MailstoreError::OverQuota,
        MailstoreError::Refused {
            refusals: vec![Refusal { account: AccountId(7), reason: RefusalReason::TooLarge }],
        },
        MailstoreError::MessageVanished,
        MailstoreError::MaildropInUse,
        MailstoreError::LeaseLost,
        MailstoreError::StaleEpoch,
        MailstoreError::AccessDenied { message: message() },
        MailstoreError::Corrupt { message: message() },
        MailstoreError::Invalid { message: message() },
        MailstoreError::Unavailable { message: message() },
        MailstoreError::Internal { message: message() },
    ] {
        let status = staffetta_chassis::grpc::into_status(error.clone());
        let failure: super::Failure = staffetta_chassis::grpc::from_status(status);
        assert_eq!((failure.error, failure.transport), (error, None));
    }
}
