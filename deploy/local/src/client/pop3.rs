//! A POP3 client (RFC 1939).

use std::sync::Arc;

use rustls::ClientConfig;

use super::Stream;

/// A session.
#[derive(Debug)]
pub struct Pop3Client {
    stream: Stream,
    host: String,
}

impl Pop3Client {
    /// Connects in plain text and reads the greeting.
    ///
    /// # Errors
    /// No server, or no `+OK`.
    pub async fn connect(host: &str, port: u16) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect(host, port).await?, host).await
    }

    /// Connects with TLS from the first octet and reads the greeting.
    ///
    /// # Errors
    /// No server, no TLS, or no `+OK`.
    pub async fn connect_tls(host: &str, port: u16, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect_tls(host, port, tls).await?, host).await
    }

    async fn greeted(stream: Stream, host: &str) -> anyhow::Result<Self> {
        let mut client = Self { stream, host: host.to_owned() };
        let greeting = client.stream.line().await?;
        anyhow::ensure!(greeting.starts_with("+OK"), "no greeting: {greeting}");
        Ok(client)
    }

    /// STLS.
    ///
    /// # Errors
    /// Refused, or the handshake fails.
    pub async fn start_tls(mut self, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        self.ok("STLS").await?;
        let host = self.host.clone();
        Ok(Self { stream: self.stream.start_tls(&host, tls).await?, host })
    }

    /// USER and PASS.
    ///
    /// # Errors
    /// Refused.
    pub async fn login(&mut self, login: &str, password: &str) -> anyhow::Result<()> {
        self.ok(&format!("USER {login}")).await?;
        self.ok(&format!("PASS {password}")).await?;
        Ok(())
    }

    /// One command, whatever the first line of the answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn command(&mut self, line: &str) -> anyhow::Result<String> {
        self.stream.send(format!("{line}\r\n").as_bytes()).await?;
        self.stream.line().await
    }

    /// One command that must be answered `+OK`.
    ///
    /// # Errors
    /// `-ERR`.
    pub async fn ok(&mut self, line: &str) -> anyhow::Result<String> {
        let answer = self.command(line).await?;
        anyhow::ensure!(answer.starts_with("+OK"), "{line}: {answer}");
        Ok(answer)
    }

    /// One command with a multi-line answer; the dots are unstuffed, every line ends with CRLF.
    ///
    /// # Errors
    /// `-ERR`.
    pub async fn lines(&mut self, line: &str) -> anyhow::Result<Vec<String>> {
        self.ok(line).await?;
        let mut lines = Vec::new();
        loop {
            let line = self.stream.line().await?;
            if line == "." {
                return Ok(lines);
            }
            lines.push(line.strip_prefix('.').map_or_else(|| line.clone(), str::to_owned));
        }
    }

    /// Whether the server has closed the connection.
    ///
    /// # Errors
    /// Nothing came in time.
    pub async fn at_end(&mut self) -> anyhow::Result<bool> {
        self.stream.at_end().await
    }
}
