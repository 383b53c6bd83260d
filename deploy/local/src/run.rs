//! The program: start, show, demonstrate, stay, drain.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rand::Rng as _;
use staffetta_chassis::testing::{PrivatePostgres, PrivatePostgresOptions};
use staffetta_ctl::endpoints::{Account, Endpoints, Site};
use staffetta_directory_api::token::SigningKey;

use crate::accounts;
use crate::ca::Authority;
use crate::configuration::{Grpc, Layout, Objects, Ports};
use crate::demo;
use crate::dns::{DnsServer, Zone};
use crate::options::Options;
use crate::platform::Platform;
use crate::ports;
use crate::screen;

/// The platforms' domains.
const DOMAINS: [&str; 2] = ["north.test", "south.test"];

/// For the whole way out.
const DRAIN: Duration = Duration::from_secs(20);

/// What a second start needs again.
const KEY_FILE: &str = "workload.key";

/// Runs the program to its end.
///
/// # Errors
/// Something does not start, or the demonstration fails.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let (data, _temporary) = data_folder(options.data.as_deref())?;
    let postgres =
        PrivatePostgres::start(PrivatePostgresOptions { data_dir: Some(data.join("postgres")), fsync: true })
            .await?;
    let authority = Authority::open(&data.join("ca"))?;
    let domains = &DOMAINS[..usize::from(options.sites)];
    let hosts: Vec<IpAddr> =
        (0..options.sites).map(|site| Ipv4Addr::new(127, 0, 0, 2 + site).into()).collect();
    let ports = ports::choose(&hosts)?;
    let dns = DnsServer::start(hosts[0], &zones(domains, &hosts)).await?;
    let mut platforms = Vec::new();
    for (domain, host) in domains.iter().zip(&hosts) {
        let layout = layout(&data, domain, *host, ports, &postgres, &authority, dns.address()).await?;
        let platform = Platform::start(layout).await.with_context(|| (*domain).to_owned())?;
        accounts::make(&*platform.admin().directory, domain).await?;
        platforms.push(platform);
    }
    let endpoints = endpoints(&platforms, &authority, dns.address());
    if let Some(file) = &options.endpoints {
        write(file, &endpoints)?;
    }
    screen::show(&endpoints, &data);
    let outcome = stay(&options, &platforms, &authority).await;
    for platform in platforms {
        platform.drain(DRAIN).await;
    }
    postgres.stop().await?;
    outcome
}

async fn stay(options: &Options, platforms: &[Platform], authority: &Authority) -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let demonstrate = async {
        if !options.no_demo {
            let (Some(from), Some(to)) = (platforms.first(), platforms.last()) else { return Ok(()) };
            screen::demonstration();
            demo::run(from.layout(), to.layout(), authority.certificate_file())
                .await
                .context("the demonstration")?;
        }
        if options.demo_and_exit {
            return Ok(());
        }
        screen::ready();
        std::future::pending().await
    };
    tokio::select! {
        outcome = demonstrate => outcome,
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// The folder for everything, and its guard when it is a temporary one.
fn data_folder(wanted: Option<&Path>) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let (folder, guard) = match wanted {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            (folder.canonicalize()?, None)
        }
        None => {
            let guard = tempfile::Builder::new().prefix("staffetta-").tempdir()?;
            (guard.path().to_owned(), Some(guard))
        }
    };
    traversable(&folder)?;
    Ok((folder, guard))
}

/// PostgreSQL runs as a user of its own when this program is root, and must be able to reach its folder.
fn traversable(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(folder)?.permissions().mode();
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o711))?)
}

async fn layout(
    data: &Path,
    domain: &str,
    host: IpAddr,
    ports: Ports,
    postgres: &PrivatePostgres,
    authority: &Authority,
    dns: SocketAddr,
) -> anyhow::Result<Layout> {
    let folder = data.join(domain);
    let keys = folder.join("keys");
    fs::create_dir_all(&keys)?;
    if !keys.join("local.key").exists() {
        SigningKey::generate("local")?.write(&keys)?;
    }
    let certificates = folder.join("certificates");
    authority.issue(&certificates, &[format!("mx.{domain}"), domain.to_owned()], host)?;
    let database = domain.replace('.', "_");
    postgres.create_database(&database).await?;
    Ok(Layout {
        domain: domain.to_owned(),
        host,
        ports,
        database: postgres.url(&database),
        objects: Objects::Folder(folder.join("objects")),
        redis: None,
        token_keys: keys,
        certificates: Some(certificates),
        workload_key: workload_key(&folder.join(KEY_FILE))?,
        dns,
        remote_smtp_port: ports.smtp,
        process: "[process.drain]\naccept = \"0s\"\nbudget = \"10s\"\n".to_owned(),
        grpc: Grpc::any(Ipv4Addr::LOCALHOST.into()),
        health: SocketAddr::new(host, 0),
    })
}

fn workload_key(file: &Path) -> anyhow::Result<String> {
    if !file.exists() {
        let key: [u8; 32] = rand::rng().random();
        let hex: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
        fs::write(file, hex)?;
    }
    Ok(fs::read_to_string(file)?)
}

fn zones(domains: &[&str], hosts: &[IpAddr]) -> Vec<Zone> {
    let zone = |(domain, host): (&&str, &IpAddr)| Zone {
        domain: (*domain).to_owned(),
        exchangers: vec![(10, format!("mx.{domain}"), Some(*host))],
    };
    domains.iter().zip(hosts).map(zone).collect()
}

fn endpoints(platforms: &[Platform], authority: &Authority, dns: SocketAddr) -> Endpoints {
    let site = |platform: &Platform| {
        let layout = platform.layout();
        let account = |login: String| Account { login, password: accounts::PASSWORD.to_owned() };
        Site {
            name: layout.domain.clone(),
            host: layout.host,
            smtp: layout.ports.smtp,
            submission: layout.ports.submission,
            submissions: layout.ports.submissions,
            imap: layout.ports.imap,
            imaps: layout.ports.imaps,
            pop3: layout.ports.pop3,
            pop3s: layout.ports.pop3s,
            admin: platform.admin().address().port(),
            admin_key: layout.workload_key.clone(),
            domains: vec![layout.domain.clone()],
            accounts: accounts::addresses(&layout.domain).into_iter().map(account).collect(),
        }
    };
    Endpoints {
        ca: authority.certificate_file().to_owned(),
        dns,
        sites: platforms.iter().map(site).collect(),
    }
}

/// Whole or not at all: whoever waits for the file may read it at once.
fn write(file: &Path, endpoints: &Endpoints) -> anyhow::Result<()> {
    let temporary = file.with_extension("tmp");
    fs::write(&temporary, serde_json::to_vec_pretty(endpoints)?)
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    Ok(fs::rename(&temporary, file)?)
}
