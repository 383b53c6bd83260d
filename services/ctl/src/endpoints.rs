//! The file that names a local platform: `staffetta-local --endpoints FILE` writes it, `staffetta --endpoints FILE` reads it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that a platform on this machine consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// PEM file with the certificate that every site's certificate is signed by.
    pub ca: PathBuf,
    /// The name server that knows the sites' domains.
    pub dns: SocketAddr,
    /// The platforms.
    pub sites: Vec<Site>,
}

/// One platform. Its Debug leaves the secrets out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The address of all its ports.
    pub host: IpAddr,
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
    /// gRPC of directory, mailstore and queue together.
    pub admin: u16,
    /// Proves the administrator to `admin`; a secret of this machine.
    pub admin_key: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its demo accounts.
    pub accounts: Vec<Account>,
}

/// A demo account. Its Debug leaves the password out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its address and login.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Site {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Site")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("admin", &self.admin)
            .field("domains", &self.domains)
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Account").field("login", &self.login).finish_non_exhaustive()
    }
}
