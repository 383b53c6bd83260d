//! An IMAP client (RFC 3501) that keeps every response as text, literals included.

use std::sync::Arc;

use rustls::ClientConfig;

use super::Stream;

/// What a command brought: its untagged responses and its completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Untagged responses without `* ` and CRLF; a literal stands where it came, behind its `{n}` and CRLF.
    pub untagged: Vec<String>,
    /// The completion without its tag: `OK ...`, `NO ...`, `BAD ...`.
    pub completion: String,
}

impl Answer {
    /// Untagged responses that contain a text.
    #[must_use]
    pub fn with<'a>(&'a self, text: &'a str) -> Vec<&'a str> {
        self.untagged.iter().map(String::as_str).filter(|line| line.contains(text)).collect()
    }

    /// The number in `* n KIND`, the last one if there are several.
    #[must_use]
    pub fn number(&self, kind: &str) -> Option<u32> {
        self.untagged.iter().rev().find_map(|line| line.strip_suffix(kind)?.trim().parse().ok())
    }

    /// The argument of a response code anywhere in the answer: `UIDVALIDITY` of `OK [UIDVALIDITY 7] ...`.
    #[must_use]
    pub fn code(&self, name: &str) -> Option<String> {
        let lines = self.untagged.iter().chain([&self.completion]);
        let needle = format!("[{name} ");
        lines.rev().find_map(|line| {
            let rest = &line[line.find(&needle)? + needle.len()..];
            Some(rest[..rest.find(']')?].to_owned())
        })
    }
}

/// A session.
#[derive(Debug)]
pub struct ImapClient {
    stream: Stream,
    host: String,
    commands: u32,
}

impl ImapClient {
    /// Connects in plain text and reads the greeting.
    ///
    /// # Errors
    /// No server, or no `* OK`.
    pub async fn connect(host: &str, port: u16) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect(host, port).await?, host).await
    }

    /// Connects with TLS from the first octet and reads the greeting.
    ///
    /// # Errors
    /// No server, no TLS, or no `* OK`.
    pub async fn connect_tls(host: &str, port: u16, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        Self::greeted(Stream::connect_tls(host, port, tls).await?, host).await
    }

    async fn greeted(stream: Stream, host: &str) -> anyhow::Result<Self> {
        let mut client = Self { stream, host: host.to_owned(), commands: 0 };
        let greeting = client.stream.line().await?;
        anyhow::ensure!(greeting.starts_with("* OK"), "no greeting: {greeting}");
        Ok(client)
    }

    /// STARTTLS.
    ///
    /// # Errors
    /// Refused, or the handshake fails.
    pub async fn start_tls(mut self, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        self.ok("STARTTLS").await?;
        let host = self.host.clone();
        Ok(Self { stream: self.stream.start_tls(&host, tls).await?, host, commands: self.commands })
    }

    /// LOGIN.
    ///
    /// # Errors
    /// Refused.
    pub async fn login(&mut self, login: &str, password: &str) -> anyhow::Result<()> {
        self.ok(&format!("LOGIN \"{login}\" \"{password}\"")).await.map(drop)
    }

    /// One command, whatever its completion.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn command(&mut self, line: &str) -> anyhow::Result<Answer> {
        let tag = self.start(line).await?;
        self.finish(&tag).await
    }

    /// One command that must be completed with OK.
    ///
    /// # Errors
    /// NO or BAD.
    pub async fn ok(&mut self, line: &str) -> anyhow::Result<Answer> {
        let answer = self.command(line).await?;
        anyhow::ensure!(answer.completion.starts_with("OK"), "{line}: {}", answer.completion);
        Ok(answer)
    }

    /// APPEND with a synchronising literal; `arguments` is what stands between APPEND and the literal.
    ///
    /// # Errors
    /// The connection is gone. A refusal is an answer.
    pub async fn append(&mut self, arguments: &str, message: &[u8]) -> anyhow::Result<Answer> {
        let tag = self.start(&format!("APPEND {arguments} {{{}}}", message.len())).await?;
        let mut untagged = Vec::new();
        loop {
            let line = self.response().await?;
            if line.starts_with('+') {
                break;
            }
            if let Some(completion) = line.strip_prefix(&format!("{tag} ")) {
                return Ok(Answer { untagged, completion: completion.to_owned() });
            }
            untagged.push(line);
        }
        self.stream.send(message).await?;
        self.stream.send(b"\r\n").await?;
        self.finish(&tag).await
    }

    /// IDLE, up to the continuation.
    ///
    /// # Errors
    /// Refused.
    pub async fn idle(&mut self) -> anyhow::Result<String> {
        let tag = self.start("IDLE").await?;
        let line = self.response().await?;
        anyhow::ensure!(line.starts_with('+'), "IDLE: {line}");
        Ok(tag)
    }

    /// Ends an IDLE.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn done(&mut self, tag: &str) -> anyhow::Result<Answer> {
        self.stream.send(b"DONE\r\n").await?;
        self.finish(tag).await
    }

    /// Sends a command without waiting for its answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn start(&mut self, line: &str) -> anyhow::Result<String> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.stream.send(format!("{tag} {line}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    /// Everything up to a command's completion.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn finish(&mut self, tag: &str) -> anyhow::Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let line = self.response().await?;
            if let Some(completion) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                return Ok(Answer { untagged, completion: completion.to_owned() });
            }
            untagged.push(line.strip_prefix("* ").map_or_else(|| line.clone(), str::to_owned));
        }
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn raw(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        self.stream.send(octets).await
    }

    /// The next response, tagged or not, with its literals.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn response(&mut self) -> anyhow::Result<String> {
        let mut response = String::new();
        loop {
            let line = self.stream.line().await?;
            let literal = line
                .strip_suffix('}')
                .and_then(|head| head.rsplit_once('{'))
                .and_then(|(_, n)| n.parse().ok());
            response.push_str(&line);
            let Some(length) = literal else { return Ok(response) };
            response.push_str("\r\n");
            response.push_str(&String::from_utf8_lossy(&self.stream.octets(length).await?));
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
