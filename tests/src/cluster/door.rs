//! The way into a platform for clients.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use staffetta_local::configuration::Ports;

use crate::client::imap::ImapClient;
use crate::client::pop3::Pop3Client;
use crate::client::smtp::SmtpClient;

/// The password of every account that a test makes.
pub const PASSWORD: &str = "correct horse battery";

/// One address of a platform with its ports; tasks take clones of it.
#[derive(Debug, Clone)]
pub struct Door {
    /// The address.
    pub host: IpAddr,
    /// The ports.
    pub ports: Ports,
    /// Trusts the platform's authority.
    pub tls: Arc<ClientConfig>,
}

impl Door {
    /// A submission session: STARTTLS and AUTH.
    ///
    /// # Errors
    /// Nobody is there, or the login is refused.
    pub async fn submission(&self, login: &str) -> anyhow::Result<SmtpClient> {
        let mut client = SmtpClient::connect(&self.name(), self.ports.submission).await?;
        client.ok("EHLO client.test", 250).await?;
        let mut client = client.start_tls(&self.tls).await?;
        client.login(login, PASSWORD).await?;
        Ok(client)
    }

    /// A session as another server has it.
    ///
    /// # Errors
    /// Nobody is there.
    pub async fn mx(&self) -> anyhow::Result<SmtpClient> {
        let mut client = SmtpClient::connect(&self.name(), self.ports.smtp).await?;
        client.ok("EHLO peer.test", 250).await?;
        Ok(client)
    }

    /// An IMAP session over TLS.
    ///
    /// # Errors
    /// Nobody is there, or the login is refused.
    pub async fn imap(&self, login: &str) -> anyhow::Result<ImapClient> {
        let mut client = ImapClient::connect_tls(&self.name(), self.ports.imaps, &self.tls).await?;
        client.login(login, PASSWORD).await?;
        Ok(client)
    }

    /// A POP3 session over STLS.
    ///
    /// # Errors
    /// Nobody is there, or the login is refused.
    pub async fn pop3(&self, login: &str) -> anyhow::Result<Pop3Client> {
        let client = Pop3Client::connect(&self.name(), self.ports.pop3).await?;
        let mut client = client.start_tls(&self.tls).await?;
        client.login(login, PASSWORD).await?;
        Ok(client)
    }

    /// The address as clients write it.
    #[must_use]
    pub fn name(&self) -> String {
        self.host.to_string()
    }
}
