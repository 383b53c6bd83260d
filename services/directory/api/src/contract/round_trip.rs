//! The same directory, but every call goes through a gRPC server and client on loopback.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use staffetta_chassis::config::Secret;
use staffetta_chassis::drain::Drain;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig, GrpcServer, GrpcServerConfig};
use staffetta_chassis::process::Context;
use staffetta_chassis::tasks::Tasks;

use super::*;
use crate::grpc::{DirectoryClient, DirectoryServer};

/// Each workload's client, connected at its first use.
struct Remote {
    config: GrpcClientConfig,
    context: Context,
    clients: Mutex<HashMap<String, Arc<DirectoryClient>>>,
}

/// Ends the server with the harness.
struct Stop {
    tasks: Tasks,
    _drain: Drain,
    _keep: Box<dyn std::any::Any + Send + Sync>,
}

/// `harness` behind a gRPC server of its own; its clients prove themselves by a workload key.
///
/// # Panics
/// When no loopback port can be bound.
pub async fn over_grpc(harness: Harness) -> Harness {
    let (context, tasks, drain) = (Context::for_tests(), Tasks::new(), Drain::new());
    let key = Secret::new("contract");
    let config = GrpcServerConfig::on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), key.clone());
    let server = GrpcServer::bind("grpc", &config, &context, &tasks).unwrap();
    let target = format!("http://{}", server.address());
    let routes = DirectoryServer::new(harness.directory).routes();
    server.serve(routes, staffetta_proto::FILE_DESCRIPTOR_SET, drain.watch()).await.unwrap();
    let config = GrpcClientConfig::to(target, key);
    let remote = Remote { config, context, clients: Mutex::default() };
    let keep = Box::new(Stop { tasks, _drain: drain, _keep: harness.keep });
    Harness { directory: Arc::new(remote), keep, ..harness }
}

impl Workloads for Remote {
    fn for_workload(&self, workload: &str) -> Arc<dyn Directory> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(workload.to_owned()).or_insert_with(|| {
            let channel = Channel::connect(&self.config, workload, &self.context).unwrap();
            Arc::new(DirectoryClient::new(channel))
        });
        Arc::<DirectoryClient>::clone(client)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}
