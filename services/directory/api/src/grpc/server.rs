//! Puts an implementation of the port on the wire.

mod administration;
mod authentication;
mod budgets;
mod resolution;

use std::fmt;
use std::sync::Arc;

use staffetta_chassis::grpc::{into_status, require_workload};
use staffetta_proto::directory::v1::administration_service_server::AdministrationServiceServer;
use staffetta_proto::directory::v1::authentication_service_server::AuthenticationServiceServer;
use staffetta_proto::directory::v1::budget_service_server::BudgetServiceServer;
use staffetta_proto::directory::v1::resolution_service_server::ResolutionServiceServer;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::{Directory, DirectoryError, Workloads};

/// Who may log users in and keep their sessions alive.
const GATEWAYS: &[&str] = &["smtp-ingress", "imap-gateway", "pop3-gateway"];
/// Who may ask where addresses lead.
const MAIL_HANDLERS: &[&str] = &["smtp-ingress", "outbound"];
/// Who may charge sending budgets.
const SUBMISSION: &[&str] = &["smtp-ingress"];
/// Who may manage accounts.
const ADMINISTRATORS: &[&str] = &["ctl", "operator"];

/// The four services of `staffetta.directory.v1` over one implementation.
#[derive(Clone)]
pub struct DirectoryServer {
    directory: Arc<dyn Workloads>,
}

impl DirectoryServer {
    /// The encoded descriptors of the services, for reflection.
    pub const DESCRIPTORS: &'static [u8] = staffetta_proto::FILE_DESCRIPTOR_SET;

    /// Serves `directory`.
    #[must_use]
    pub fn new(directory: Arc<dyn Workloads>) -> Self {
        Self { directory }
    }

    /// The routes for a gRPC server of the chassis.
    #[must_use]
    pub fn routes(self) -> Routes {
        Routes::new(AuthenticationServiceServer::new(self.clone()))
            .add_service(ResolutionServiceServer::new(self.clone()))
            .add_service(BudgetServiceServer::new(self.clone()))
            .add_service(AdministrationServiceServer::new(self))
    }

    /// The view of the caller, if it is one of `allowed`, and what it asks.
    fn admit<T>(&self, request: Request<T>, allowed: &[&str]) -> Result<(Arc<dyn Directory>, T), Status> {
        let workload = require_workload(&request, allowed)?;
        Ok((self.directory.for_workload(&workload.0), request.into_inner()))
    }
}

impl fmt::Debug for DirectoryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryServer").finish_non_exhaustive()
    }
}

/// An answer of the port on the wire.
fn reply<T, R>(
    answer: Result<T, DirectoryError>,
    response: impl FnOnce(T) -> R,
) -> Result<Response<R>, Status> {
    answer.map(|value| Response::new(response(value))).map_err(into_status)
}

/// What the port takes from the wire.
fn take<T>(converted: Result<T, DirectoryError>) -> Result<T, Status> {
    converted.map_err(into_status)
}
