//! The server adapter: tokens and workloads are checked here, then the port is called.

mod accounts;
mod delivery;
mod mailboxes;
mod maildrops;
mod messages;
mod watch;

use std::fmt;
use std::sync::Arc;

use staffetta_chassis::clock::Clock;
use staffetta_chassis::drain::Draining;
use staffetta_chassis::grpc::into_status;
use staffetta_chassis::spool::SpoolBudget;
use staffetta_directory_api::token::{Claims, TokenVerifier};
use staffetta_directory_api::{Scope, SessionToken, ShardName};
use staffetta_proto::mailstore::v1 as proto;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::{Access, Mailstore, MailstoreError};

/// What a [`MailstoreServer`] needs.
pub struct ServerParts {
    /// What it serves.
    pub mailstore: Arc<dyn Mailstore>,
    /// Knows directory's public keys.
    pub verifier: Arc<TokenVerifier>,
    /// The shard; tokens of other shards are refused.
    pub shard: ShardName,
    /// Tells when tokens expire.
    pub clock: Arc<dyn Clock>,
    /// Where bodies wait until they are stored.
    pub spool: SpoolBudget,
    /// Largest message that is received, in octets.
    pub max_message_size: u64,
    /// Ends watches when the process is to end.
    pub draining: Draining,
}

/// Serves `staffetta.mailstore.v1`; clones share everything.
#[derive(Clone)]
pub struct MailstoreServer {
    parts: Arc<ServerParts>,
}

impl MailstoreServer {
    /// The descriptors of its services, for reflection.
    pub const DESCRIPTORS: &'static [u8] = staffetta_proto::FILE_DESCRIPTOR_SET;

    /// A server of `parts`.
    #[must_use]
    pub fn new(parts: ServerParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// All its gRPC services, for [`staffetta_chassis::grpc::GrpcServer::serve`].
    #[must_use]
    pub fn routes(&self) -> Routes {
        use proto::account_service_server::AccountServiceServer;
        use proto::body_service_server::BodyServiceServer;
        use proto::delivery_service_server::DeliveryServiceServer;
        use proto::mailbox_service_server::MailboxServiceServer;
        use proto::maildrop_service_server::MaildropServiceServer;
        use proto::message_service_server::MessageServiceServer;
        use proto::search_service_server::SearchServiceServer;
        use proto::watch_service_server::WatchServiceServer;

        Routes::new(MailboxServiceServer::new(self.clone()))
            .add_service(MessageServiceServer::new(self.clone()))
            .add_service(BodyServiceServer::new(self.clone()))
            .add_service(DeliveryServiceServer::new(self.clone()))
            .add_service(SearchServiceServer::new(self.clone()))
            .add_service(WatchServiceServer::new(self.clone()))
            .add_service(MaildropServiceServer::new(self.clone()))
            .add_service(AccountServiceServer::new(self.clone()))
    }

    fn store(&self) -> &dyn Mailstore {
        &*self.parts.mailstore
    }

    /// Who the call is for, proven by its token, which must have one of the scopes.
    fn access<T>(&self, request: &Request<T>, scopes: &[Scope]) -> Result<Access, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| into_status(denied("a session token is missing")))?;
        let token = SessionToken(token.into());
        let claims = self.verified(&token).map_err(into_status)?;
        if !scopes.iter().any(|scope| claims.scopes.contains(*scope)) {
            return Err(into_status(denied("the session token lacks the scope")));
        }
        Ok(access_of(&claims, token))
    }

    /// What a token proves now, here.
    fn verified(&self, token: &SessionToken) -> Result<Arc<Claims>, MailstoreError> {
        let now = self.parts.clock.now().into();
        let claims = self.parts.verifier.verify(token, now).map_err(|error| denied(&error.to_string()))?;
        if claims.shard != self.parts.shard {
            return Err(denied("the session token is for another shard"));
        }
        Ok(claims)
    }
}

fn access_of(claims: &Claims, token: SessionToken) -> Access {
    Access { account: claims.account, epoch: claims.epoch, quota: claims.quota, token: Some(token) }
}

fn denied(message: &str) -> MailstoreError {
    MailstoreError::AccessDenied { message: message.to_owned() }
}

/// A unary answer.
fn answer<T>(result: Result<T, MailstoreError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(into_status)
}

/// What is asked for makes no sense.
fn malformed(malformed: super::convert::Malformed) -> Status {
    into_status(MailstoreError::from(malformed))
}

impl fmt::Debug for MailstoreServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailstoreServer").field("shard", &self.parts.shard).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerParts").field("shard", &self.shard).finish_non_exhaustive()
    }
}
