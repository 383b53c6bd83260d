//! An SMTP client (RFC 5321).

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use rustls::ClientConfig;

use super::Stream;

/// One reply: its code and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three-digit code.
    pub code: u16,
    /// The text of each line.
    pub lines: Vec<String>,
}

impl Reply {
    /// All text in one line.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// The transaction id of an acceptance, which is the last UUID in the text.
    #[must_use]
    pub fn transaction(&self) -> Option<uuid::Uuid> {
        self.text()
            .split(|c: char| !c.is_ascii_hexdigit() && c != '-')
            .rev()
            .find_map(|word| word.parse().ok())
    }
}

/// A session.
#[derive(Debug)]
pub struct SmtpClient {
    stream: Stream,
    host: String,
}

impl SmtpClient {
    /// Connects in plain text and reads the greeting.
    ///
    /// # Errors
    /// No server, or no 220.
    pub async fn connect(host: &str, port: u16) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect(host, port).await?, host).await
    }

    /// Connects in plain text from one of this machine's addresses and reads the greeting.
    ///
    /// # Errors
    /// No server, or no 220.
    pub async fn connect_from(source: IpAddr, host: &str, port: u16) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect_from(source, host, port).await?, host).await
    }

    /// Connects with TLS from the first octet and reads the greeting.
    ///
    /// # Errors
    /// No server, no TLS, or no 220.
    pub async fn connect_tls(host: &str, port: u16, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect_tls(host, port, tls).await?, host).await
    }

    async fn greeted(stream: Stream, host: &str) -> anyhow::Result<Self> {
        let mut client = Self { stream, host: host.to_owned() };
        client.expect(220).await?;
        Ok(client)
    }

    /// STARTTLS; the caller says EHLO again.
    ///
    /// # Errors
    /// Refused, or the handshake fails.
    pub async fn start_tls(mut self, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        self.ok("STARTTLS", 220).await?;
        let host = self.host.clone();
        Ok(Self { stream: self.stream.start_tls(&host, tls).await?, host })
    }

    /// EHLO and AUTH PLAIN.
    ///
    /// # Errors
    /// Refused.
    pub async fn login(&mut self, login: &str, password: &str) -> anyhow::Result<()> {
        self.ok("EHLO client.test", 250).await?;
        let response = base64::engine::general_purpose::STANDARD.encode(format!("\0{login}\0{password}"));
        self.ok(&format!("AUTH PLAIN {response}"), 235).await?;
        Ok(())
    }

    /// One command, whatever the reply.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn command(&mut self, line: &str) -> anyhow::Result<Reply> {
        self.stream.send(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// One command with the code it must have.
    ///
    /// # Errors
    /// Another reply.
    pub async fn ok(&mut self, line: &str, code: u16) -> anyhow::Result<Reply> {
        self.stream.send(format!("{line}\r\n").as_bytes()).await?;
        self.expect(code).await
    }

    /// A whole transaction; answers the reply to the final dot. The message is sent as it is, with dots stuffed.
    ///
    /// # Errors
    /// A command before the final dot was refused.
    pub async fn send_mail(
        &mut self,
        sender: &str,
        recipients: &[&str],
        message: &[u8],
    ) -> anyhow::Result<Reply> {
        self.begin_mail(sender, recipients).await?;
        self.end_mail(message).await
    }

    /// MAIL, RCPT and DATA, up to the 354.
    ///
    /// # Errors
    /// One of them was refused.
    pub async fn begin_mail(&mut self, sender: &str, recipients: &[&str]) -> anyhow::Result<()> {
        let mut batch = format!("MAIL FROM:<{sender}>\r\n");
        for recipient in recipients {
            batch.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        batch.push_str("DATA\r\n");
        self.stream.send(batch.as_bytes()).await?;
        self.expect(250).await?;
        for _ in recipients {
            self.expect(250).await?;
        }
        self.expect(354).await.map(drop)
    }

    /// The message and the final dot; answers the reply to it.
    ///
    /// # Errors
    /// The connection is gone: what became of the message is unknown.
    pub async fn end_mail(&mut self, message: &[u8]) -> anyhow::Result<Reply> {
        self.stream.send(&stuffed(message)).await?;
        self.reply().await
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn raw(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        self.stream.send(octets).await
    }

    /// The next reply.
    ///
    /// # Errors
    /// The connection is gone, or what came is no reply.
    pub async fn reply(&mut self) -> anyhow::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = self.stream.line().await?;
            anyhow::ensure!(line.len() >= 3, "not a reply: {line:?}");
            let code = line[..3].parse()?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Whether the server has closed the connection.
    ///
    /// # Errors
    /// Nothing came in time.
    pub async fn at_end(&mut self) -> anyhow::Result<bool> {
        self.stream.at_end().await
    }

    async fn expect(&mut self, code: u16) -> anyhow::Result<Reply> {
        let reply = self.reply().await?;
        anyhow::ensure!(reply.code == code, "expected {code}, got {} {}", reply.code, reply.text());
        Ok(reply)
    }
}

/// The message with its dots stuffed and the final dot.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
