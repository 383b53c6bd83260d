//! Opens connections: TCP, then [`Handshake`] over it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use staffetta_chassis::clock::Clock;
use staffetta_chassis::tls::TlsClient;
use staffetta_outbound_api::RemoteReply;
use staffetta_smtp::reply::EnhancedCode;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::connection::Connection;
use super::session::{Handshake, HandshakeFailure, HandshakeStep, Hello, TlsUse, own_reply, remote_reply};
use super::stream::ReplyStream;
use super::timeouts::Timeouts;

/// How connections of one kind (to mail exchangers, to one smarthost) are opened.
#[derive(Clone, Debug)]
pub struct Connector {
    /// What we say and ask for.
    pub hello: Hello,
    /// The TLS of it: verifying or not.
    pub tls: TlsClient,
    /// Whether TLS begins with the connection instead of STARTTLS.
    pub implicit_tls: bool,
    /// Whether a connection whose optional TLS broke is opened again without.
    pub plaintext_fallback: bool,
    /// Addresses to connect from; the first of the server's family is used.
    pub sources: Vec<IpAddr>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why there is no connection: never a reason to bounce.
#[derive(Debug)]
pub struct ConnectFailure {
    /// What happened, as the queue keeps it.
    pub reply: RemoteReply,
    without_tls: bool,
}

impl Connector {
    /// Opens a connection to `host` at `address`.
    ///
    /// # Errors
    /// [`ConnectFailure`].
    pub async fn open(&self, host: &str, address: SocketAddr) -> Result<Connection, ConnectFailure> {
        match self.attempt(host, address, self.hello.clone()).await {
            Err(failure) if failure.without_tls && self.plaintext_fallback => {
                tracing::info!(host, %address, reason = failure.reply.text, "TLS failed, going on without");
                let hello = Hello { tls: TlsUse::Off, ..self.hello.clone() };
                self.attempt(host, address, hello).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(
        &self,
        host: &str,
        address: SocketAddr,
        hello: Hello,
    ) -> Result<Connection, ConnectFailure> {
        let socket = timeout(self.timeouts.connect, self.connect(address))
            .await
            .map_err(|_| unreachable(host, address, "connection timed out"))?
            .map_err(|error| unreachable(host, address, &error.to_string()))?;
        // Commands are small and answered one by one: waiting for more only costs time.
        let _ = socket.set_nodelay(true);
        let mut stream = ReplyStream::new(socket);
        if self.implicit_tls {
            stream = stream
                .start_tls(&self.tls, host)
                .await
                .map_err(|error| unreachable(host, address, &format!("TLS failed: {error}")))?;
        }
        self.shake(host, address, stream, hello).await
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.sources.iter().find(|source| source.is_ipv4() == address.is_ipv4()) {
            socket.bind(SocketAddr::new(*source, 0))?;
        }
        socket.connect(address).await
    }

    async fn shake(
        &self,
        host: &str,
        address: SocketAddr,
        mut stream: ReplyStream,
        hello: Hello,
    ) -> Result<Connection, ConnectFailure> {
        let (mut machine, mut step) = Handshake::start(hello, stream.is_encrypted());
        loop {
            step = match step {
                HandshakeStep::Send(octets, phase) => {
                    let limit = self.timeouts.of(phase);
                    let broken = |error: std::io::Error| unreachable(host, address, &error.to_string());
                    stream.write(&octets, limit).await.map_err(broken)?;
                    let reply = stream.reply(limit).await.map_err(broken)?;
                    machine.on_reply(&reply)
                }
                HandshakeStep::StartTls => match stream.start_tls(&self.tls, host).await {
                    Ok(encrypted) => {
                        stream = encrypted;
                        machine.on_tls(Ok(()))
                    }
                    Err(error) => match machine.on_tls(Err(error.to_string())) {
                        HandshakeStep::Failed(failure) => return Err(failed(host, &failure)),
                        _ => return Err(unreachable(host, address, "TLS failed")),
                    },
                },
                HandshakeStep::Failed(failure) => return Err(failed(host, &failure)),
                HandshakeStep::Ready(offered) => {
                    return Ok(Connection {
                        stream,
                        host: host.to_owned(),
                        address,
                        offered,
                        timeouts: self.timeouts.clone(),
                        opened_at: self.clock.instant(),
                        messages: 0,
                        permit: None,
                    });
                }
            };
        }
    }
}

fn unreachable(host: &str, address: SocketAddr, what: &str) -> ConnectFailure {
    let text = format!("{address}: {what}");
    ConnectFailure { reply: own_reply(Some(host), EnhancedCode(4, 4, 1), &text), without_tls: false }
}

fn failed(host: &str, failure: &HandshakeFailure) -> ConnectFailure {
    let reply = match &failure.reply {
        Some(reply) => remote_reply(host, reply),
        None => own_reply(Some(host), failure.enhanced, &failure.text),
    };
    ConnectFailure { reply, without_tls: failure.without_tls }
}
