//! One platform: every service in this process, started in order of dependency, talking gRPC over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use staffetta_chassis::config;
use staffetta_chassis::process::{Context, Service};
use staffetta_directory::Directory;
use staffetta_imap_gateway::app::ImapGateway;
use staffetta_mailstore::Mailstore;
use staffetta_outbound::Outbound;
use staffetta_pop3_gateway::Pop3Gateway;
use staffetta_smtp_ingress::SmtpIngress;

use crate::admin::Admin;
use crate::configuration::Layout;

/// A running platform.
pub struct Platform {
    layout: Layout,
    directory: Directory,
    mailstore: Mailstore,
    outbound: Outbound,
    ingress: SmtpIngress,
    imap: ImapGateway,
    pop3: Pop3Gateway,
    admin: Admin,
}

impl Platform {
    /// Starts everything.
    ///
    /// # Errors
    /// A service does not start; the message says which.
    pub async fn start(layout: Layout) -> anyhow::Result<Self> {
        let directory = start::<Directory>(&layout.directory()).await?;
        let directory_at = grpc(&directory)?;
        let mailstore = start::<Mailstore>(&layout.mailstore()).await?;
        let mailstore_at = grpc(&mailstore)?;
        let outbound = start::<Outbound>(&layout.outbound(directory_at, mailstore_at)).await?;
        let queue_at = grpc(&outbound)?;
        let ingress =
            start::<SmtpIngress>(&layout.smtp_ingress(directory_at, mailstore_at, queue_at)).await?;
        let imap = start::<ImapGateway>(&layout.imap_gateway(directory_at, mailstore_at)).await?;
        let pop3 = start::<Pop3Gateway>(&layout.pop3_gateway(directory_at, mailstore_at)).await?;
        let admin =
            Admin::start(&layout, directory_at, mailstore_at, queue_at).await.context("admin port")?;
        Ok(Self { layout, directory, mailstore, outbound, ingress, imap, pop3, admin })
    }

    /// Where it is and what it stands on.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The way to its directory, mailstore and queue.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Ends everything, callers before those they call.
    pub async fn drain(self, budget: Duration) {
        tokio::join!(self.ingress.drain(budget), self.imap.drain(budget), self.pop3.drain(budget));
        self.admin.drain(budget).await;
        self.outbound.drain(budget).await;
        self.mailstore.drain(budget).await;
        self.directory.drain(budget).await;
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("domain", &self.layout.domain).finish_non_exhaustive()
    }
}

async fn start<S: Service>(toml: &str) -> anyhow::Result<S> {
    let settings = config::parse::<S::Config>(toml, [])
        .with_context(|| format!("the settings made for {} are wrong", S::NAME))?;
    S::start(settings, Context::new(S::NAME)).await.with_context(|| format!("{} does not start", S::NAME))
}

fn grpc(service: &impl Service) -> anyhow::Result<SocketAddr> {
    let endpoints = service.endpoints();
    let grpc = endpoints.iter().find(|(name, _)| name == "grpc");
    grpc.map(|(_, address)| *address).context("a service has no endpoint called grpc")
}
