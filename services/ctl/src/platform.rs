//! The services of a platform, connected when a command first needs them.

use std::collections::BTreeMap;

use staffetta_chassis::grpc::{Channel, GrpcClientConfig};
use staffetta_chassis::process::Context;
use staffetta_directory_api::ShardName;
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_mailstore_api::grpc::client::MailstoreClient;
use staffetta_outbound_api::grpc::QueueClient;

use crate::config::Located;
use crate::error::{CtlError, Refusal};

/// The name that services know this command by.
const WORKLOAD: &str = "ctl";

/// The platform that a command is about.
#[derive(Debug)]
pub struct Platform {
    located: Located,
    context: Context,
}

/// One service: its port, and how to speak of it.
#[derive(Debug)]
pub struct Service<T> {
    /// What it answers.
    pub port: T,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub address: String,
    hint: String,
}

impl Platform {
    /// The platform at `located`; nothing is connected yet.
    #[must_use]
    pub fn new(located: Located) -> Self {
        Self { located, context: Context::new(WORKLOAD) }
    }

    /// What time it is and how long things take.
    #[must_use]
    pub fn clock(&self) -> &dyn staffetta_chassis::clock::Clock {
        &*self.context.clock
    }

    /// directory.
    ///
    /// # Errors
    /// It is not configured, or in a way that cannot be used.
    pub fn directory(&self) -> Result<Service<DirectoryClient>, CtlError> {
        let config = self.located.config.directory.as_ref();
        self.connect("directory", "[directory]", config, DirectoryClient::new)
    }

    /// The queue.
    ///
    /// # Errors
    /// As [`Self::directory`].
    pub fn queue(&self) -> Result<Service<QueueClient>, CtlError> {
        self.connect("queue", "[queue]", self.located.config.queue.as_ref(), QueueClient::new)
    }

    /// The mailstore of a shard.
    ///
    /// # Errors
    /// As [`Self::directory`].
    pub fn shard(&self, shard: &ShardName) -> Result<Service<MailstoreClient>, CtlError> {
        let config = self.located.config.shards.get(shard);
        self.connect(
            &format!("mailstore {shard}"),
            &format!("[shards.{shard}]"),
            config,
            MailstoreClient::new,
        )
    }

    /// The shards that are configured.
    pub fn shards(&self) -> impl Iterator<Item = &ShardName> {
        self.located.config.shards.keys()
    }

    /// The listeners for mail programs, by name.
    #[must_use]
    pub fn gateways(&self) -> &BTreeMap<String, String> {
        &self.located.config.gateways
    }

    /// Whether directory and queue are configured.
    #[must_use]
    pub fn has(&self) -> (bool, bool) {
        (self.located.config.directory.is_some(), self.located.config.queue.is_some())
    }

    fn connect<T>(
        &self,
        name: &str,
        section: &str,
        config: Option<&GrpcClientConfig>,
        client: impl FnOnce(Channel) -> T,
    ) -> Result<Service<T>, CtlError> {
        let config = config.ok_or_else(|| {
            CtlError::Config(format!("{name} is not configured: the settings need {section} with a target"))
        })?;
        let channel = Channel::connect(config, WORKLOAD, &self.context).map_err(|error| {
            CtlError::Config(format!("the settings in {section} cannot be used: {error:#}"))
        })?;
        Ok(Service {
            port: client(channel),
            name: name.to_owned(),
            address: config.target.clone(),
            hint: self.located.hint.clone(),
        })
    }
}

impl<T> Service<T> {
    /// The answer, or its error in words for a person, with this service's name and address.
    ///
    /// # Errors
    /// The port's error.
    pub(crate) fn blame<R, E: Into<Refusal>>(&self, answer: Result<R, E>) -> Result<R, CtlError> {
        answer.map_err(|error| self.explain(error.into()))
    }

    fn explain(&self, refusal: Refusal) -> CtlError {
        let (service, address, hint) = (self.name.clone(), self.address.clone(), self.hint.clone());
        match refusal {
            Refusal::NotFound(text) => CtlError::NotFound(text),
            Refusal::CannotCreate(text) => CtlError::CannotCreate(text),
            Refusal::Invalid(text) => CtlError::Data(text),
            Refusal::Denied(message) => CtlError::Denied { service, address, message, hint },
            Refusal::Unavailable(message) => CtlError::Unavailable { service, address, message, hint },
            Refusal::Internal(message) => CtlError::Internal { service, address, message },
        }
    }
}
