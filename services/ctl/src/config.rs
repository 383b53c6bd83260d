//! Where the platform is: an endpoints file of a local one, or a settings file and the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use staffetta_chassis::config::{ENVIRONMENT_PREFIX, Secret, parse_section};
use staffetta_chassis::grpc::GrpcClientConfig;
use staffetta_chassis::tls::TlsClientConfig;
use staffetta_directory_api::ShardName;
use staffetta_message::address::Domain;

use crate::endpoints::{Endpoints, Site};
use crate::error::CtlError;

/// Read when no other file is named.
pub const DEFAULT_FILE: &str = "/etc/staffetta/ctl.toml";

/// A connection to a platform on this machine stands at once or not at all.
const LOCAL_PATIENCE: Duration = Duration::from_secs(3);

/// The settings file. Each section may be missing: then the commands that need it say so.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Proves the workload `ctl` to services without a key of their own below; default none (certificates do it).
    pub workload_key: Secret,
    /// TLS towards services without a `tls` of their own below; default none.
    pub tls: Option<TlsClientConfig>,
    /// directory; default none.
    pub directory: Option<GrpcClientConfig>,
    /// The queue of outbound; default none.
    pub queue: Option<GrpcClientConfig>,
    /// mailstore, by shard (`[shards.main]`); default none.
    pub shards: BTreeMap<ShardName, GrpcClientConfig>,
    /// What `status` also greets: a name and `host:port` of SMTP, IMAP or POP3 without TLS; default none.
    pub gateways: BTreeMap<String, String>,
}

/// What the command line says about where to look.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    /// An endpoints file; goes before everything else.
    pub endpoints: Option<PathBuf>,
    /// A site in it, by name.
    pub site: Option<String>,
    /// The settings file.
    pub config: Option<PathBuf>,
}

/// The settings, and in words where they come from.
#[derive(Debug)]
pub struct Located {
    /// The settings.
    pub config: Config,
    /// What to check when a service does not answer there.
    pub hint: String,
}

/// Finds the platform; `domain` is the domain that the command is about, if it is about one.
///
/// # Errors
/// No file, a file that cannot be used, a site that does not exist.
pub fn locate(
    whereabouts: &Whereabouts,
    environment: impl IntoIterator<Item = (String, String)>,
    domain: Option<&Domain>,
) -> Result<Located, CtlError> {
    if let Some(file) = &whereabouts.endpoints {
        let endpoints = read_endpoints(file)?;
        let site = choose(&endpoints, whereabouts.site.as_deref(), domain)?;
        let hint = format!(
            "check: is the local platform still running, and is {} the file of its latest start?",
            file.display()
        );
        return Ok(Located { config: of_site(site), hint });
    }
    if whereabouts.site.is_some() {
        return Err(CtlError::Usage(
            "--site names a site of an endpoints file: add --endpoints FILE".to_owned(),
        ));
    }
    let environment: Vec<_> =
        environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
    let default = Path::new(DEFAULT_FILE);
    let file = whereabouts.config.as_deref().or_else(|| default.exists().then_some(default));
    if file.is_none() && environment.is_empty() {
        return Err(CtlError::Config(format!(
            "where is the platform? Add --endpoints FILE (a local one), --config FILE, or write {DEFAULT_FILE}"
        )));
    }
    let text = file.map(read).transpose()?.unwrap_or_default();
    let name = file.map_or_else(|| "the environment".to_owned(), |file| file.display().to_string());
    let config = parse_section::<Config>(&text, environment)
        .map_err(|error| CtlError::Config(format!("the settings of {name} cannot be used:\n{error}")))?;
    let hint = format!("check: does it run, and are target, tls and workload_key in {name} right?");
    Ok(Located { config: config.with_defaults(), hint })
}

impl Config {
    /// Key and TLS of the whole file where a section has none.
    fn with_defaults(mut self) -> Self {
        let services = self.directory.iter_mut().chain(self.queue.iter_mut()).chain(self.shards.values_mut());
        for service in services {
            if service.workload_key.is_empty() {
                service.workload_key = self.workload_key.clone();
            }
            if service.tls.is_none() {
                service.tls.clone_from(&self.tls);
            }
        }
        self
    }
}

fn of_site(site: &Site) -> Config {
    let at = |port| std::net::SocketAddr::new(site.host, port);
    let service = GrpcClientConfig {
        ready_timeout: LOCAL_PATIENCE,
        ..GrpcClientConfig::to(format!("http://{}", at(site.admin)), Secret::new(site.admin_key.clone()))
    };
    let gateways =
        [("smtp", site.smtp), ("submission", site.submission), ("imap", site.imap), ("pop3", site.pop3)];
    Config {
        directory: Some(service.clone()),
        queue: Some(service.clone()),
        shards: BTreeMap::from([(ShardName::default(), service)]),
        gateways: gateways.map(|(name, port)| (name.to_owned(), at(port).to_string())).into(),
        ..Config::default()
    }
}

fn choose<'a>(
    endpoints: &'a Endpoints,
    name: Option<&str>,
    domain: Option<&Domain>,
) -> Result<&'a Site, CtlError> {
    if let Some(name) = name {
        let known: Vec<_> = endpoints.sites.iter().map(|site| site.name.as_str()).collect();
        let found = endpoints.sites.iter().find(|site| site.name == name);
        return found.ok_or_else(|| {
            CtlError::Usage(format!("the endpoints file has no site {name}, only {}", known.join(", ")))
        });
    }
    let owner = domain.and_then(|domain| {
        endpoints.sites.iter().find(|site| site.domains.iter().any(|name| name == domain.as_str()))
    });
    let none = || CtlError::Config("the endpoints file has no site".to_owned());
    owner.or_else(|| endpoints.sites.first()).ok_or_else(none)
}

fn read_endpoints(file: &Path) -> Result<Endpoints, CtlError> {
    serde_json::from_str(&read(file)?).map_err(|error| {
        CtlError::Config(format!("{} is not an endpoints file of staffetta-local: {error}", file.display()))
    })
}

fn read(file: &Path) -> Result<String, CtlError> {
    std::fs::read_to_string(file).map_err(|source| CtlError::NoInput { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "workload_key = 'shared'\n[tls]\nca = '/ca.pem'\n[directory]\ntarget = 'dns://directory:7000'\n\
                        [shards.main]\ntarget = 'dns://mailstore:7000'\nworkload_key = 'own'\n\
                        [gateways]\nimap = 'imap.north.test:143'\n";

    fn at(file: &Path, environment: &[(&str, &str)]) -> Result<Located, CtlError> {
        let whereabouts = Whereabouts { config: Some(file.to_owned()), ..Whereabouts::default() };
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        locate(&whereabouts, environment, None)
    }

    #[test]
    fn key_and_tls_of_the_file_go_to_every_service_without_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TEXT).unwrap();
        let environment = [("STAFFETTA__QUEUE__TARGET", "dns://outbound:7000"), ("HOME", "x")];
        let config = at(file.path(), &environment).unwrap().config;
        let (directory, queue) = (config.directory.unwrap(), config.queue.unwrap());
        let main = &config.shards[&ShardName::default()];
        assert_eq!((directory.workload_key.expose(), queue.workload_key.expose()), ("shared", "shared"));
        assert_eq!((main.workload_key.expose(), queue.target.as_str()), ("own", "dns://outbound:7000"));
        assert!(main.tls.as_ref().is_some_and(|tls| tls.ca.as_deref() == Some(Path::new("/ca.pem"))));
        assert_eq!(config.gateways["imap"], "imap.north.test:143");
    }

    #[test]
    fn settings_that_cannot_be_used_name_their_file_and_key() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[directory]\ntarged = 'x'").unwrap();
        let error = at(file.path(), &[]).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        let text = error.to_string();
        assert!(text.contains("directory.targed: unknown setting"), "{text}");
        assert!(text.contains(&file.path().display().to_string()), "{text}");
        assert_eq!(at(Path::new("/nowhere.toml"), &[]).unwrap_err().exit_code(), 66);
    }

    fn endpoints() -> Endpoints {
        let site = |name: &str, admin: u16| {
            serde_json::json!({
                "name": name, "host": "127.0.0.2", "smtp": 1, "submission": 2, "submissions": 3, "imap": 4,
                "imaps": 5, "pop3": 6, "pop3s": 7, "admin": admin, "admin_key": "hush",
                "domains": [format!("{name}.test")], "accounts": [{"login": "a", "password": "hush"}],
            })
        };
        let file = serde_json::json!({
            "ca": "/ca.pem", "dns": "127.0.0.1:53", "sites": [site("north", 10), site("south", 20)]
        });
        serde_json::from_value(file).unwrap()
    }

    #[test]
    fn the_site_is_the_named_one_or_the_domains_or_the_first() {
        let (endpoints, south) = (endpoints(), Domain::parse("south.test").unwrap());
        let other = Domain::parse("other.test").unwrap();
        let name = |name, domain| choose(&endpoints, name, domain).unwrap().name.as_str();
        assert_eq!(name(None, None), "north");
        assert_eq!(name(None, Some(&south)), "south");
        assert_eq!(name(None, Some(&other)), "north");
        assert_eq!(name(Some("north"), Some(&south)), "north");
        let error = choose(&endpoints, Some("east"), None).unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().contains("north, south")), (64, true));
    }

    #[test]
    fn a_site_has_all_services_on_its_admin_port() {
        let config = of_site(&endpoints().sites[1]);
        let main = &config.shards[&ShardName::default()];
        assert_eq!(config.directory.unwrap().target, "http://127.0.0.2:20");
        assert_eq!((main.target.as_str(), main.workload_key.expose()), ("http://127.0.0.2:20", "hush"));
        assert_eq!(config.gateways["pop3"], "127.0.0.2:6");
    }

    #[test]
    fn secrets_of_the_endpoints_do_not_show() {
        let endpoints = endpoints();
        assert!(!format!("{endpoints:?}").contains("hush"));
        assert!(serde_json::to_string(&endpoints).unwrap().contains("\"admin_key\":\"hush\""));
    }
}
