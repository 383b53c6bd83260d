//! The gRPC clients behind the ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use staffetta_chassis::grpc::Channel;
use staffetta_chassis::process::{Context, Service};
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_mailstore_api::Shards as _;
use staffetta_mailstore_api::grpc::client::connect_shards;
use staffetta_outbound_api::grpc::QueueClient;

use super::{SmtpIngress, rates};
use crate::config::Config;
use crate::ports::{Ports, Shard};

/// Starts connecting; nothing need be there yet.
pub(super) fn connect(config: &Config, context: &Context) -> anyhow::Result<Ports> {
    let name = SmtpIngress::NAME;
    let directory = Channel::connect(&config.directory, name, context).context("directory")?;
    let directory = Arc::new(DirectoryClient::new(directory));
    let queue = Channel::connect(&config.queue, name, context).context("queue")?;
    let mailstores = connect_shards(&config.shards, name, context).context("shards")?;
    let mut shards = BTreeMap::new();
    for shard in mailstores.names() {
        let mailstore = mailstores.shard(&shard)?;
        shards.insert(shard, Shard::new(mailstore));
    }
    Ok(Ports {
        authentication: directory.clone(),
        resolution: directory.clone(),
        budgets: directory,
        shards,
        queue: Arc::new(QueueClient::new(queue)),
        rates: rates(&config.rates, config.redis.as_ref(), &context.clock)?,
    })
}
