//! The settings of every process of one platform, as the TOML that the processes read in a cluster too.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// One platform: where it is and what it stands on.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The mail domain; the host is `mx.` in it.
    pub domain: String,
    /// Every listener is bound here.
    pub host: IpAddr,
    /// The ports that clients and other servers use.
    pub ports: Ports,
    /// `postgres://` URL of the platform's database.
    pub database: String,
    /// Where bodies go.
    pub objects: Objects,
    /// Hints, counters and rates; `None`: in process.
    pub redis: Option<String>,
    /// Folder with the keys of the session tokens.
    pub token_keys: PathBuf,
    /// Folder with the certificate of the platform; `None`: no TLS.
    pub certificates: Option<PathBuf>,
    /// Proves the workloads to each other.
    pub workload_key: String,
    /// The name server for outgoing mail.
    pub dns: SocketAddr,
    /// The port of the other servers' MX hosts.
    pub remote_smtp_port: u16,
    /// Section `[process]` of every process: logs, traces, drain. Empty: the defaults.
    pub process: String,
    /// Where the called services serve gRPC; port 0 takes a free one.
    pub grpc: Grpc,
    /// Where each process serves probes and metrics; port 0 takes a free one.
    pub health: SocketAddr,
}

/// Ports of one platform.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Mail from other servers.
    pub smtp: u16,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// Submission with TLS.
    pub submissions: u16,
    /// IMAP with STARTTLS.
    pub imap: u16,
    /// IMAP with TLS.
    pub imaps: u16,
    /// POP3 with STLS.
    pub pop3: u16,
    /// POP3 with TLS.
    pub pop3s: u16,
    /// Administration.
    pub admin: u16,
}

/// Addresses of the called services.
#[derive(Debug, Clone, Copy)]
pub struct Grpc {
    /// directory
    pub directory: SocketAddr,
    /// mailstore
    pub mailstore: SocketAddr,
    /// outbound
    pub queue: SocketAddr,
}

impl Grpc {
    /// Free ports of an address.
    #[must_use]
    pub fn any(host: IpAddr) -> Self {
        let free = SocketAddr::new(host, 0);
        Self { directory: free, mailstore: free, queue: free }
    }
}

/// Where bodies go.
#[derive(Debug, Clone)]
pub enum Objects {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of a server that speaks S3.
    S3 {
        /// Its URL.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The key's name.
        access_key_id: String,
        /// The key.
        secret_access_key: String,
    },
}

/// One client address may do more than on the Internet: everybody here comes from loopback.
const CONNECTIONS: u32 = 5_000;

impl Layout {
    /// The platform's mail host.
    #[must_use]
    pub fn hostname(&self) -> String {
        format!("mx.{}", self.domain)
    }

    /// Settings of `directory`.
    #[must_use]
    pub fn directory(&self) -> String {
        let mut toml = self.server("postgres", self.grpc.directory);
        let _ = writeln!(toml, "[tokens]\ndirectory = {}", path(&self.token_keys));
        if let Some(redis) = &self.redis {
            let _ = writeln!(toml, "[redis]\nurl = {}", text(redis));
        }
        toml
    }

    /// Settings of `mailstore`.
    #[must_use]
    pub fn mailstore(&self) -> String {
        let mut toml = self.server("database", self.grpc.mailstore);
        let _ = writeln!(toml, "[tokens]\npublic_keys = {}", path(&self.token_keys));
        toml.push_str(&self.store());
        if let Some(redis) = &self.redis {
            let _ = writeln!(toml, "[hints]\ntype = \"redis\"\nurl = {}", text(redis));
        }
        toml
    }

    /// Settings of `outbound`.
    #[must_use]
    pub fn outbound(&self, directory: SocketAddr, mailstore: SocketAddr) -> String {
        let mut toml = format!("hostname = {}\n", text(&self.hostname()));
        toml.push_str(&self.server("database", self.grpc.queue));
        toml.push_str(&self.store());
        self.calls(&mut toml, "directory", directory);
        self.calls(&mut toml, "shards.main", mailstore);
        let _ = writeln!(toml, "[delivery]\nport = {}", self.remote_smtp_port);
        let _ = writeln!(toml, "sources = [{}]", text(&self.host.to_string()));
        let _ = writeln!(toml, "[dns]\nservers = [{}]\ntimeout = \"2s\"", text(&self.dns.to_string()));
        let _ = writeln!(toml, "[own]\nhosts = [{}]", text(&self.hostname()));
        let _ = writeln!(toml, "[trace]\nemit_header = true");
        toml
    }

    /// Settings of `smtp-ingress`.
    #[must_use]
    pub fn smtp_ingress(&self, directory: SocketAddr, mailstore: SocketAddr, queue: SocketAddr) -> String {
        let mut toml = format!("hostname = {}\n", text(&self.hostname()));
        let _ = writeln!(toml, "postmaster = {}", text(&format!("postmaster@{}", self.domain)));
        toml.push_str(&self.process_section());
        self.calls(&mut toml, "directory", directory);
        self.calls(&mut toml, "shards.main", mailstore);
        self.calls(&mut toml, "queue", queue);
        self.listener(&mut toml, "mx", self.ports.smtp);
        self.gateway(
            &mut toml,
            &[("submission", self.ports.submission)],
            &[("submissions", self.ports.submissions)],
        );
        // Everybody on this machine has the same address.
        let _ = writeln!(toml, "[rates]\nconnections_per_minute = 0\nmessages_per_minute = 0");
        let _ = writeln!(toml, "auth_failures_per_minute = 0");
        if let Some(redis) = &self.redis {
            let _ = writeln!(toml, "[redis]\nurl = {}", text(redis));
        }
        let _ = writeln!(toml, "[trace]\naccept_header = true");
        toml
    }

    /// Settings of `imap-gateway`.
    #[must_use]
    pub fn imap_gateway(&self, directory: SocketAddr, mailstore: SocketAddr) -> String {
        let mut toml = self.process_section();
        self.calls(&mut toml, "directory", directory);
        self.calls(&mut toml, "shards.main", mailstore);
        self.gateway(&mut toml, &[("imap", self.ports.imap)], &[("imaps", self.ports.imaps)]);
        toml
    }

    /// Settings of `pop3-gateway`.
    #[must_use]
    pub fn pop3_gateway(&self, directory: SocketAddr, mailstore: SocketAddr) -> String {
        let mut toml = self.process_section();
        self.calls(&mut toml, "directory", directory);
        self.calls(&mut toml, "shards.main", mailstore);
        self.gateway(&mut toml, &[("pop3", self.ports.pop3)], &[("pop3s", self.ports.pop3s)]);
        toml
    }

    fn process_section(&self) -> String {
        format!("{}\n[process.health]\naddress = {}\n", self.process, text(&self.health.to_string()))
    }

    /// What every process has that is called over gRPC and owns data.
    fn server(&self, database: &str, address: SocketAddr) -> String {
        let mut toml = self.process_section();
        let key = text(&self.workload_key);
        let address = text(&address.to_string());
        let _ = writeln!(toml, "[grpc]\naddress = {address}\nworkload_keys = [{key}]");
        let _ = writeln!(toml, "[{database}]\nurl = {}", text(&self.database));
        toml
    }

    fn store(&self) -> String {
        match &self.objects {
            Objects::Folder(folder) => format!("[store]\ntype = \"directory\"\npath = {}\n", path(folder)),
            Objects::S3 { endpoint, bucket, access_key_id, secret_access_key } => format!(
                "[store]\ntype = \"s3\"\nendpoint = {}\nbucket = {}\naccess_key_id = {}\nsecret_access_key = {}\n\
                 allow_http = true\n",
                text(endpoint),
                text(bucket),
                text(access_key_id),
                text(secret_access_key)
            ),
        }
    }

    fn calls(&self, toml: &mut String, section: &str, address: SocketAddr) {
        let target = text(&format!("http://{address}"));
        let _ = writeln!(toml, "[{section}]\ntarget = {target}\nworkload_key = {}", text(&self.workload_key));
    }

    fn listener(&self, toml: &mut String, role: &str, port: u16) {
        let address = text(&SocketAddr::new(self.host, port).to_string());
        let _ =
            writeln!(toml, "[[listeners]]\nrole = {}\n[listeners.listen]\naddress = {address}", text(role));
        let _ = writeln!(toml, "max_connections_per_address = {CONNECTIONS}");
    }

    /// Listeners for clients that log in; with TLS only where there are certificates.
    fn gateway(&self, toml: &mut String, upgraded: &[(&str, u16)], implicit: &[(&str, u16)]) {
        for (role, port) in upgraded {
            self.listener(toml, role, *port);
        }
        if let Some(certificates) = &self.certificates {
            for (role, port) in implicit {
                self.listener(toml, role, *port);
            }
            let _ = writeln!(toml, "[tls]\ndirectory = {}\nreload_interval = \"1s\"", path(certificates));
        }
        let _ = writeln!(toml, "[auth]\nplaintext = \"loopback\"");
    }
}

/// A TOML string.
fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

fn path(value: &Path) -> String {
    text(&value.display().to_string())
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::config;

    use super::*;

    fn layout() -> Layout {
        Layout {
            domain: "north.test".to_owned(),
            host: [127, 0, 0, 1].into(),
            ports: Ports {
                smtp: 1,
                submission: 2,
                submissions: 3,
                imap: 4,
                imaps: 5,
                pop3: 6,
                pop3s: 7,
                admin: 8,
            },
            database: "postgres://localhost/north".to_owned(),
            objects: Objects::Folder("/tmp/objects \"x\"".into()),
            redis: Some("redis://127.0.0.1:1".to_owned()),
            token_keys: "/tmp/keys".into(),
            certificates: Some("/tmp/certificates".into()),
            workload_key: "key".to_owned(),
            dns: ([127, 0, 0, 1], 53).into(),
            remote_smtp_port: 2525,
            process: "[process.drain]\naccept = \"0s\"".to_owned(),
            grpc: Grpc::any([127, 0, 0, 1].into()),
            health: ([127, 0, 0, 1], 0).into(),
        }
    }

    #[test]
    fn every_process_takes_its_settings() {
        let (layout, at) = (layout(), SocketAddr::from(([127, 0, 0, 1], 1)));
        config::parse::<staffetta_directory::DirectoryConfig>(&layout.directory(), []).unwrap();
        config::parse::<staffetta_mailstore::MailstoreConfig>(&layout.mailstore(), []).unwrap();
        config::parse::<staffetta_outbound::OutboundConfig>(&layout.outbound(at, at), []).unwrap();
        config::parse::<staffetta_smtp_ingress::Config>(&layout.smtp_ingress(at, at, at), []).unwrap();
        config::parse::<staffetta_imap_gateway::config::Config>(&layout.imap_gateway(at, at), []).unwrap();
        config::parse::<staffetta_pop3_gateway::Config>(&layout.pop3_gateway(at, at), []).unwrap();
    }
}
