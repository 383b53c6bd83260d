//! One administration port for a whole platform: what the `staffetta` command needs of directory, mailstore and queue.
//!
//! In a cluster the command calls the services themselves; on one machine a single port is easier to name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use staffetta_chassis::config::Secret;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use staffetta_chassis::process::Context;
use staffetta_chassis::spool::{SpoolBudget, SpoolConfig};
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::grpc::client::DirectoryClient;
use staffetta_directory_api::grpc::server::DirectoryServer;
use staffetta_directory_api::token::TokenVerifier;
use staffetta_directory_api::{Directory, ShardName, Workloads};
use staffetta_mailstore_api::grpc::client::MailstoreClient;
use staffetta_mailstore_api::grpc::server::{MailstoreServer, ServerParts};
use staffetta_outbound_api::grpc::{QueueClient, QueueServer};
use staffetta_proto::directory::v1::administration_service_server::AdministrationServiceServer;
use staffetta_proto::mailstore::v1::account_service_server::AccountServiceServer;
use tonic::service::Routes;

use crate::configuration::Layout;

/// The workload that administers.
const WORKLOAD: &str = "ctl";

/// No body passes this port.
const MAX_SIZE: u64 = 0;

/// The port and the clients behind it.
pub struct Admin {
    /// Manages domains and accounts.
    pub directory: Arc<DirectoryClient>,
    address: SocketAddr,
    drain: Drain,
    tasks: Tasks,
}

impl Admin {
    /// Serves the administration of a platform whose services are at these addresses.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(
        layout: &Layout,
        directory: SocketAddr,
        mailstore: SocketAddr,
        queue: SocketAddr,
    ) -> anyhow::Result<Self> {
        let context = Context::new("admin");
        let key = Secret::new(layout.workload_key.clone());
        let channel = |at: SocketAddr| {
            Channel::connect(&GrpcClientConfig::to(format!("http://{at}"), key.clone()), WORKLOAD, &context)
        };
        let (drain, tasks) = (Drain::new(), Tasks::new());
        let spool = SpoolBudget::new(&SpoolConfig::default());
        let directory = Arc::new(DirectoryClient::new(channel(directory)?));
        let accounts = MailstoreServer::new(ServerParts {
            mailstore: Arc::new(MailstoreClient::new(channel(mailstore)?)),
            verifier: Arc::new(TokenVerifier::from_directory(&layout.token_keys)?),
            shard: ShardName::default(),
            clock: Arc::clone(&context.clock),
            spool: spool.clone(),
            max_message_size: MAX_SIZE,
            draining: drain.watch(),
        });
        let administration = DirectoryServer::new(Arc::new(Caller(Arc::clone(&directory))));
        let routes = Routes::new(AdministrationServiceServer::new(administration))
            .add_service(AccountServiceServer::new(accounts))
            .add_service(QueueServer::service(Arc::new(QueueClient::new(channel(queue)?)), spool, MAX_SIZE));
        let config = GrpcServerConfig::on(SocketAddr::new(layout.host, layout.ports.admin), key);
        let server = GrpcServer::bind("admin", &config, &context, &tasks)?;
        let address = server.address();
        server.serve(routes, staffetta_proto::FILE_DESCRIPTOR_SET, drain.watch()).await?;
        Ok(Self { directory, address, drain, tasks })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub async fn drain(self, budget: Duration) {
        self.drain.start();
        self.tasks.finish(budget).await;
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Whoever calls here calls directory as the administrator; the port lets in nobody else.
struct Caller(Arc<DirectoryClient>);

impl Workloads for Caller {
    fn for_workload(&self, _workload: &str) -> Arc<dyn Directory> {
        Arc::clone(&self.0) as Arc<dyn Directory>
    }
}
