//! A private Postfix from the system's package: own settings, queue and mailboxes, one address, ended with the test.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rand::Rng as _;
use staffetta_local::dns::Zone;
use staffetta_tests::client::smtp::SmtpClient;
use staffetta_tests::cluster::PORTS;
use staffetta_tests::eventually;
use staffetta_tests::local::installed;
use staffetta_tests::process::Process;
use tokio::process::Command;

/// Its domain. `user` and `late` have mailboxes there, nobody else.
pub(super) const DOMAIN: &str = "postfix.test";

/// Its name.
pub(super) const HOST: &str = "mx.postfix.test";

/// The platform whose mail it relays to.
const NORTH: &str = "north.test";

/// `nobody`: mailboxes are written as this user.
const OWNER: u32 = 65534;

const READY: Duration = Duration::from_secs(20);

/// SIGTERM ends Postfix by that signal.
const TERMINATED: i32 = 128 + 15;

const MASTER: &str = "\
smtp      inet  n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
";

/// The DNS entry of a Postfix to come, on an address outside of every cluster's.
pub(super) fn zone() -> (IpAddr, Zone) {
    let mut random = rand::rng();
    let host = Ipv4Addr::new(
        127,
        random.random_range(1..16),
        random.random_range(0..=255),
        random.random_range(2..250),
    );
    let exchangers = vec![(10, HOST.to_owned(), Some(host.into()))];
    (host.into(), Zone { domain: DOMAIN.to_owned(), exchangers })
}

/// The running server; it is killed when dropped.
pub(super) struct Postfix {
    host: IpAddr,
    folder: PathBuf,
    process: Process,
}

impl Postfix {
    /// Starts it and waits for its greeting. `north` is the platform's address; `further` are more lines of main.cf.
    pub(super) async fn start(
        host: IpAddr,
        folder: &Path,
        north: IpAddr,
        further: &str,
    ) -> anyhow::Result<Self> {
        let postfix = installed("postfix", "postfix")?;
        let folder = folder.join("postfix");
        lay_out(&folder)?;
        let settings = folder.join("etc");
        fs::write(settings.join("main.cf"), main_cf(host, &folder, north, further))?;
        // `inet_interfaces` takes addresses of interfaces only, which is one of 127.0.0.0/8.
        let listener = format!("{host}:{} ", PORTS.smtp);
        fs::write(settings.join("master.cf"), MASTER.replacen("smtp ", &listener, 1))?;
        // It makes the folders of queue and state with the owners they need.
        run(Command::new(postfix).arg("-c").arg(&settings).arg("check")).await?;
        let daemons =
            run(Command::new(installed("postconf", "postfix")?).args(["-dh", "daemon_directory"])).await?;
        let master = Path::new(daemons.trim()).join("master");
        let arguments = ["-c".to_owned(), settings.display().to_string(), "-s".to_owned()];
        let process = Process::start("postfix", &master, &arguments, &[], &folder.join("log")).await?;
        let started = Self { host, folder, process };
        match eventually::is_ok("Postfix answers", READY, async || started.session().await.map(drop)).await {
            Ok(()) => Ok(started),
            Err(error) => Err(error.context(started.log())),
        }
    }

    /// A session with it as one of its own clients has it.
    pub(super) async fn session(&self) -> anyhow::Result<SmtpClient> {
        let mut client = SmtpClient::connect(&self.host.to_string(), PORTS.smtp).await?;
        client.ok("EHLO client.test", 250).await?;
        Ok(client)
    }

    /// The messages in a user's mailbox, as it wrote them.
    pub(super) fn mailbox(&self, user: &str) -> anyhow::Result<Vec<String>> {
        let new = self.folder.join("mail").join(user).join("new");
        if !new.exists() {
            return Ok(Vec::new());
        }
        fs::read_dir(new)?.map(|entry| Ok(fs::read_to_string(entry?.path())?)).collect()
    }

    /// Waits for the only message in a user's mailbox.
    pub(super) async fn arrived(&self, user: &str) -> anyhow::Result<String> {
        eventually::is_ok("Postfix has delivered", super::ARRIVAL, async || {
            let mut messages = self.mailbox(user)?;
            anyhow::ensure!(messages.len() == 1, "{} messages for {user}", messages.len());
            Ok(messages.remove(0))
        })
        .await
    }

    /// What it logged.
    pub(super) fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it in good order.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.process.signal("TERM")?;
        let status = self.process.ended().await?;
        anyhow::ensure!(status == TERMINATED || status == 0, "Postfix ended with {status}:\n{}", self.log());
        Ok(())
    }
}

/// Folders, certificate and owners.
fn lay_out(folder: &Path) -> anyhow::Result<()> {
    let mut public = fs::DirBuilder::new();
    public.mode(0o755);
    public.create(folder)?;
    for name in ["etc", "queue", "mail"] {
        public.create(folder.join(name))?;
    }
    chown(folder.join("mail"), Some(OWNER), Some(OWNER))
        .context("Postfix must be started by root: run this test as root")?;
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])?;
    fs::write(folder.join("etc/tls.crt"), made.cert.pem())?;
    let key = folder.join("etc/tls.key");
    fs::write(&key, made.signing_key.serialize_pem())?;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn main_cf(host: IpAddr, folder: &Path, north: IpAddr, further: &str) -> String {
    let (folder, port) = (folder.display(), PORTS.smtp);
    // The platform is no client of it (`mynetworks`), so it must not relay for the platform.
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/stdout
mail_owner = postfix
setgid_group = postdrop
myhostname = {HOST}
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/etc/tls.key, {folder}/etc/tls.crt
smtpd_tls_received_header = yes
smtp_bind_address = {host}
smtp_dns_support_level = disabled
smtp_tls_security_level = may
default_transport = error:this Postfix knows {NORTH} only
transport_maps = inline:{{ {{ {NORTH} = smtp:[{north}]:{port} }} }}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ user@{DOMAIN} = user/ }}, {{ late@{DOMAIN} = late/ }} }}
virtual_uid_maps = static:{OWNER}
virtual_gid_maps = static:{OWNER}
{further}
"
    )
}

async fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().await?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    Ok(out.into_owned())
}
