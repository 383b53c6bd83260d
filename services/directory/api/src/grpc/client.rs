//! The port for callers in other processes.

mod administration;
mod authentication;
mod budgets;
mod resolution;

use std::fmt;
use std::future::Future;

use staffetta_chassis::grpc::{Channel, from_status};
use staffetta_proto::directory::v1::administration_service_client::AdministrationServiceClient;
use staffetta_proto::directory::v1::authentication_service_client::AuthenticationServiceClient;
use staffetta_proto::directory::v1::budget_service_client::BudgetServiceClient;
use staffetta_proto::directory::v1::resolution_service_client::ResolutionServiceClient;
use tonic::{Response, Status};

use crate::DirectoryError;

/// Directory as the workload of its channel sees it. Clones share the channel.
#[derive(Clone)]
pub struct DirectoryClient {
    authentication: AuthenticationServiceClient<Channel>,
    resolution: ResolutionServiceClient<Channel>,
    budgets: BudgetServiceClient<Channel>,
    administration: AdministrationServiceClient<Channel>,
}

impl DirectoryClient {
    /// A client on `channel`, which knows the deadline of calls and the workload's identity.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self {
            authentication: AuthenticationServiceClient::new(channel.clone()),
            resolution: ResolutionServiceClient::new(channel.clone()),
            budgets: BudgetServiceClient::new(channel.clone()),
            administration: AdministrationServiceClient::new(channel),
        }
    }
}

impl fmt::Debug for DirectoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryClient").finish_non_exhaustive()
    }
}

/// One call, once: it may not be repeated.
async fn once<R>(call: impl Future<Output = Result<Response<R>, Status>>) -> Result<R, DirectoryError> {
    call.await.map(Response::into_inner).map_err(from_status)
}

/// One call, and once more when directory was away: only for what is a read or idempotent. The second attempt goes to
/// another address if there is one, since a dead one has left the channel.
async fn twice<R, F>(call: impl Fn() -> F) -> Result<R, DirectoryError>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    match once(call()).await {
        Err(DirectoryError::Unavailable { .. }) => once(call()).await,
        answer => answer,
    }
}
