//! A connection's octets, in the clear or over TLS.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use staffetta_chassis::tls::TlsClient;
use staffetta_smtp::reply::{Reply, ReplyReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// Reads replies, writes commands and bodies, each within a time limit.
#[derive(Debug)]
pub struct ReplyStream {
    transport: Transport,
    incoming: BytesMut,
    reader: ReplyReader,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What one read makes room for.
const READ: usize = 4_096;

impl ReplyStream {
    /// A connection that was just opened.
    #[must_use]
    pub fn new(socket: TcpStream) -> Self {
        Self { transport: Transport::Plain(socket), incoming: BytesMut::new(), reader: ReplyReader::new() }
    }

    /// Starts TLS. What the server sent before is thrown away: it may have been put there by somebody else.
    ///
    /// # Errors
    /// What the handshake says.
    pub async fn start_tls(self, client: &TlsClient, host: &str) -> io::Result<Self> {
        let Transport::Plain(socket) = self.transport else {
            return Err(io::Error::other("TLS is up already"));
        };
        let stream = client.connect(host, socket).await?;
        Ok(Self {
            transport: Transport::Tls(Box::new(stream)),
            incoming: BytesMut::new(),
            reader: ReplyReader::new(),
        })
    }

    /// Whether TLS is up.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// The protocol version and cipher of TLS, for the log.
    #[must_use]
    pub fn cipher(&self) -> Option<String> {
        let Transport::Tls(stream) = &self.transport else { return None };
        let (_, session) = stream.get_ref();
        let version = session.protocol_version()?;
        let suite = session.negotiated_cipher_suite()?;
        Some(format!("{version:?} {:?}", suite.suite()))
    }

    /// Writes all of `octets`.
    ///
    /// # Errors
    /// A broken connection, or `TimedOut`.
    pub async fn write(&mut self, octets: &[u8], limit: Duration) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        let writing = async {
            match &mut self.transport {
                Transport::Plain(socket) => socket.write_all(octets).await,
                Transport::Tls(stream) => {
                    stream.write_all(octets).await?;
                    stream.flush().await
                }
            }
        };
        timeout(limit, writing).await.map_err(|_| timed_out("server does not take what we send"))?
    }

    /// The next whole reply.
    ///
    /// # Errors
    /// A broken or closed connection, octets that are no reply, or `TimedOut`.
    pub async fn reply(&mut self, limit: Duration) -> io::Result<Reply> {
        let reading = async {
            loop {
                match self.reader.next_reply(&mut self.incoming) {
                    Ok(Some(reply)) => return Ok(reply),
                    Ok(None) => {}
                    Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                }
                self.incoming.reserve(READ);
                let read = match &mut self.transport {
                    Transport::Plain(socket) => socket.read_buf(&mut self.incoming).await?,
                    Transport::Tls(stream) => stream.read_buf(&mut self.incoming).await?,
                };
                if read == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "server closed the connection"));
                }
            }
        };
        timeout(limit, reading).await.map_err(|_| timed_out("server does not answer"))?
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}
