//! One platform: a process for each service, and further ones.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::ClientConfig;
use secrecy::SecretString;
use staffetta_chassis::config::Secret;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig};
use staffetta_chassis::process::Context;
use staffetta_directory_api::grpc::client::DirectoryClient;
use staffetta_directory_api::token::SigningKey;
use staffetta_directory_api::{AccountSpec, Administration as _, AliasTarget, DomainSpec, SendingBudget};
use staffetta_local::ca::Authority;
use staffetta_local::configuration::{Grpc, Layout, Objects, Ports};
use staffetta_outbound_api::grpc::QueueClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Door, Program, Setup, at};
use crate::client::trust;
use crate::collector::SITE;
use crate::eventually;
use crate::local::binary;
use crate::process::Process;
use crate::s3_server::{ACCESS_KEY, SECRET_KEY};

/// The ports of every platform: each has addresses of its own.
pub const PORTS: Ports = Ports {
    smtp: 2025,
    submission: 2587,
    submissions: 2465,
    imap: 2143,
    imaps: 2993,
    pop3: 2110,
    pop3s: 2995,
    admin: 2900,
};

const WORKLOAD_KEY: &str = "the key of the tests' workloads";

/// A process is ready in well under a second; a busy machine takes longer.
const READY: Duration = Duration::from_secs(60);

/// What a platform is put into.
pub(super) struct Surroundings<'a> {
    pub(super) folder: &'a Path,
    pub(super) host: IpAddr,
    pub(super) database: String,
    pub(super) bucket: String,
    pub(super) s3: String,
    pub(super) redis: String,
    pub(super) dns: SocketAddr,
    pub(super) authority: &'a Authority,
    pub(super) setup: &'a Setup,
}

/// One platform. Each process is known by its program and a number: 0 for the first, on the platform's own address, 1 for the
/// one on the next address, and so on.
pub struct Site {
    layout: Layout,
    folder: PathBuf,
    settings: Vec<(Program, &'static str, String)>,
    tls: Arc<ClientConfig>,
    processes: BTreeMap<(Program, u8), Process>,
    directory: DirectoryClient,
    queue: QueueClient,
}

impl Site {
    pub(super) fn prepare(domain: &str, around: Surroundings<'_>) -> anyhow::Result<Self> {
        let folder = around.folder.to_owned();
        let (keys, certificates) = (folder.join("keys"), folder.join("certificates"));
        fs::create_dir_all(&keys)?;
        SigningKey::generate("test")?.write(&keys)?;
        let names = [format!("mx.{domain}"), domain.to_owned(), instance(around.host, 1).to_string()];
        around.authority.issue(&certificates, &names, around.host)?;
        let grpc = |program: Program| at(around.host, program.grpc_port());
        let layout = Layout {
            domain: domain.to_owned(),
            host: around.host,
            ports: PORTS,
            database: around.database,
            objects: Objects::S3 {
                endpoint: around.s3,
                bucket: around.bucket,
                access_key_id: ACCESS_KEY.to_owned(),
                secret_access_key: SECRET_KEY.to_owned(),
            },
            redis: Some(around.redis),
            token_keys: keys,
            certificates: Some(certificates),
            workload_key: WORKLOAD_KEY.to_owned(),
            dns: around.dns,
            remote_smtp_port: PORTS.smtp,
            process: process_section(around.setup),
            grpc: Grpc {
                directory: grpc(Program::Directory),
                mailstore: grpc(Program::Mailstore),
                queue: grpc(Program::Outbound),
            },
            health: at(around.host, 0),
        };
        let channel = |address: SocketAddr| {
            let target = GrpcClientConfig::to(format!("http://{address}"), Secret::new(WORKLOAD_KEY));
            Channel::connect(&target, "ctl", &Context::for_tests())
        };
        let directory = DirectoryClient::new(channel(layout.grpc.directory)?);
        let queue = QueueClient::new(channel(layout.grpc.queue)?);
        let tls = trust(around.authority.certificate_file())?;
        let settings = around.setup.settings.clone();
        Ok(Self { layout, folder, settings, tls, processes: BTreeMap::new(), directory, queue })
    }

    pub(super) async fn start_all(&mut self) -> anyhow::Result<()> {
        for program in Program::ALL {
            self.launch(program, 0).await?;
        }
        for program in Program::ALL {
            self.wait_until_ready(program, 0).await?;
        }
        Ok(())
    }

    pub(super) async fn create_domain(&self) -> anyhow::Result<()> {
        self.directory.create_domain(&DomainSpec { name: self.layout.domain.parse()? }).await?;
        self.create_account("postmaster", None).await?;
        Ok(())
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    pub(super) async fn kill_all(&mut self) {
        for process in std::mem::take(&mut self.processes).into_values() {
            // One that a test has ended already is no matter here.
            let _ = process.kill().await;
        }
    }

    /// The platform's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.layout.domain
    }

    /// The settings of its processes.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Administration of its accounts.
    #[must_use]
    pub fn directory(&self) -> &DirectoryClient {
        &self.directory
    }

    /// Its queue.
    #[must_use]
    pub fn queue(&self) -> &QueueClient {
        &self.queue
    }

    /// The way in.
    #[must_use]
    pub fn door(&self) -> Door {
        self.door_of(0)
    }

    /// The way in through the processes of a number.
    #[must_use]
    pub fn door_of(&self, number: u8) -> Door {
        Door { host: instance(self.layout.host, number), ports: PORTS, tls: Arc::clone(&self.tls) }
    }

    /// Makes an account with [`super::PASSWORD`] and answers its address.
    ///
    /// # Errors
    /// Directory refuses.
    pub async fn create_account(&self, name: &str, budget: Option<SendingBudget>) -> anyhow::Result<String> {
        let address = format!("{name}@{}", self.layout.domain);
        let password = SecretString::from(super::PASSWORD);
        let spec = AccountSpec { address: address.parse()?, password, quota: None, budget, shard: None };
        self.directory.create_account(spec).await?;
        Ok(address)
    }

    /// Makes an alias.
    ///
    /// # Errors
    /// Directory refuses.
    pub async fn create_alias(&self, name: &str, target: &str) -> anyhow::Result<String> {
        let address = format!("{name}@{}", self.layout.domain);
        let alias = AliasTarget { address: address.parse()?, targets: vec![target.parse()?] };
        self.directory.put_alias(&alias).await?;
        Ok(address)
    }

    /// A process.
    ///
    /// # Errors
    /// It was not started.
    pub fn process(&mut self, program: Program, number: u8) -> anyhow::Result<&mut Process> {
        let found = self.processes.get_mut(&(program, number));
        found.with_context(|| format!("{} {number} was not started", program.name()))
    }

    /// Starts a process and waits until it is ready. A gateway or ingress calls the mailstore of its own number if there is
    /// one, else the first.
    ///
    /// # Errors
    /// It ends, or is not ready in time.
    pub async fn start(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        self.launch(program, number).await?;
        self.wait_until_ready(program, number).await
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        let process = self.processes.remove(&(program, number));
        process.with_context(|| format!("{} {number} does not run", program.name()))?.kill().await
    }

    /// SIGTERM, and waits for a good end.
    ///
    /// # Errors
    /// It does not run, does not end, or ends with a failure.
    pub async fn terminate(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        self.process(program, number)?.signal("TERM")?;
        self.ended_well(program, number).await
    }

    /// Waits for the end of a process that was told to, and asks for success.
    ///
    /// # Errors
    /// It does not run, does not end, or ends with a failure.
    pub async fn ended_well(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        let process = self.process(program, number)?;
        let status = process.ended().await?;
        anyhow::ensure!(status == 0, "{} ended with {status}", process.name());
        self.processes.remove(&(program, number));
        Ok(())
    }

    /// The answer of a process's health port to a GET: status line, headers and body.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn probe(&self, program: Program, number: u8, path: &str) -> anyhow::Result<String> {
        let address = at(instance(self.layout.host, number), program.health_port());
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The whole log of a program's processes, the ended ones included.
    #[must_use]
    pub fn log(&self, program: Program, number: u8) -> String {
        fs::read_to_string(self.log_file(program, number)).unwrap_or_default()
    }

    fn log_file(&self, program: Program, number: u8) -> PathBuf {
        self.folder.join(format!("{}-{number}.log", program.name()))
    }

    async fn launch(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        let settings = self.folder.join(format!("{}-{number}.toml", program.name()));
        fs::write(&settings, self.settings_of(program, number))?;
        let name = format!("{} {number} of {}", program.name(), self.layout.domain);
        let arguments = ["--config".to_owned(), settings.display().to_string()];
        let overrides = self.settings.iter().filter(|(of, _, _)| *of == program);
        let mut environment: Vec<(String, String)> =
            overrides.map(|(_, key, value)| (format!("STAFFETTA__{key}"), value.clone())).collect();
        environment.push(("OTEL_RESOURCE_ATTRIBUTES".to_owned(), format!("{SITE}={}", self.layout.domain)));
        // Traces are sent as soon as they are there.
        environment.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "200".to_owned()));
        let log = self.log_file(program, number);
        let process =
            Process::start(&name, &binary(&program.binary())?, &arguments, &environment, &log).await?;
        self.processes.insert((program, number), process);
        Ok(())
    }

    async fn wait_until_ready(&mut self, program: Program, number: u8) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        loop {
            let process = self.process(program, number)?;
            if let Some(status) = process.has_ended()? {
                anyhow::bail!("{} ended with {status}:\n{}", process.name(), process.log());
            }
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let look = left.min(Duration::from_secs(1));
            let ready = eventually::is_ok("/readyz answers 200", look, async || {
                let answer = self.probe(program, number, "/readyz").await?;
                anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                Ok(())
            });
            match ready.await {
                Ok(()) => return Ok(()),
                Err(error) if left.is_zero() => {
                    return Err(error.context(format!("{} {number} is not ready", program.name())));
                }
                Err(_) => {}
            }
        }
    }

    fn settings_of(&self, program: Program, number: u8) -> String {
        let host = instance(self.layout.host, number);
        let mut layout = self.layout.clone();
        layout.host = host;
        layout.health = at(host, program.health_port());
        let own = at(host, program.grpc_port());
        if self.processes.contains_key(&(Program::Mailstore, number)) || program == Program::Mailstore {
            layout.grpc.mailstore = at(host, Program::Mailstore.grpc_port());
        }
        match program {
            Program::Directory => layout.grpc.directory = own,
            Program::Mailstore => layout.grpc.mailstore = own,
            Program::Outbound => layout.grpc.queue = own,
            Program::SmtpIngress | Program::ImapGateway | Program::Pop3Gateway => {}
        }
        let Grpc { directory, mailstore, queue } = layout.grpc;
        match program {
            Program::Directory => layout.directory(),
            Program::Mailstore => layout.mailstore(),
            Program::Outbound => layout.outbound(directory, mailstore),
            Program::SmtpIngress => layout.smtp_ingress(directory, mailstore, queue),
            Program::ImapGateway => layout.imap_gateway(directory, mailstore),
            Program::Pop3Gateway => layout.pop3_gateway(directory, mailstore),
        }
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("domain", &self.layout.domain).finish_non_exhaustive()
    }
}

fn process_section(setup: &Setup) -> String {
    let mut toml = "[process.drain]\naccept = \"100ms\"\nbudget = \"10s\"\n".to_owned();
    if let Some(endpoint) = &setup.traces {
        toml.push_str(&format!("[process.telemetry.traces]\nendpoint = \"{endpoint}\"\n"));
    }
    toml
}

/// The address of processes with a number.
fn instance(host: IpAddr, number: u8) -> IpAddr {
    match host {
        IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + u32::from(number)).into(),
        IpAddr::V6(_) => host,
    }
}
