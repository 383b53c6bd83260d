//! A connection that may become TLS, read by lines.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No answer takes longer in any test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A TLS client that trusts one authority.
///
/// # Errors
/// The file holds no certificate.
pub fn trust(authority: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).context("the CA file holds no certificate")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Plain or TLS, buffered for reading.
#[derive(Debug)]
pub struct Stream {
    inner: BufReader<Socket>,
}

#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connects in plain text.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn connect(host: &str, port: u16) -> anyhow::Result<Self> {
        let socket = TcpStream::connect((host, port))
            .await
            .with_context(|| format!("cannot connect to {host}:{port}"))?;
        socket.set_nodelay(true)?;
        Ok(Self { inner: BufReader::with_capacity(64 * 1024, Socket::Plain(socket)) })
    }

    /// Connects in plain text from one of this machine's addresses.
    ///
    /// # Errors
    /// Nobody listens, or the address is not ours.
    pub async fn connect_from(source: IpAddr, host: &str, port: u16) -> anyhow::Result<Self> {
        let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0))?;
        let target = SocketAddr::new(host.parse().context("not an address")?, port);
        let socket = socket.connect(target).await.with_context(|| format!("cannot connect to {target}"))?;
        socket.set_nodelay(true)?;
        Ok(Self { inner: BufReader::with_capacity(64 * 1024, Socket::Plain(socket)) })
    }

    /// Connects with TLS from the first octet.
    ///
    /// # Errors
    /// Nobody listens, or the certificate is not trusted.
    pub async fn connect_tls(host: &str, port: u16, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        Self::connect(host, port).await?.start_tls(host, tls).await
    }

    /// Turns to TLS; what is buffered is lost, as it should be.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn start_tls(self, host: &str, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        let Socket::Plain(socket) = self.inner.into_inner() else {
            anyhow::bail!("the connection has TLS already")
        };
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, socket)
            .await
            .context("TLS handshake failed")?;
        Ok(Self { inner: BufReader::with_capacity(64 * 1024, Socket::Tls(Box::new(stream))) })
    }

    /// Sends octets at once.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        self.inner.write_all(octets).await?;
        Ok(self.inner.flush().await?)
    }

    /// One line without its CRLF; empty at the end of the stream is an error.
    ///
    /// # Errors
    /// The stream has ended, or nothing came in time.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = Vec::new();
        tokio::time::timeout(PATIENCE, self.inner.read_until(b'\n', &mut line))
            .await
            .context("no answer in time")??;
        anyhow::ensure!(
            line.ends_with(b"\r\n"),
            "the connection was closed after {:?}",
            String::from_utf8_lossy(&line)
        );
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Exactly so many octets.
    ///
    /// # Errors
    /// The stream has ended, or nothing came in time.
    pub async fn octets(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        let mut octets = vec![0; count];
        tokio::time::timeout(PATIENCE, self.inner.read_exact(&mut octets))
            .await
            .context("no answer in time")??;
        Ok(octets)
    }

    /// Whether the peer has closed and everything was read.
    ///
    /// # Errors
    /// Nothing came in time.
    pub async fn at_end(&mut self) -> anyhow::Result<bool> {
        match tokio::time::timeout(PATIENCE, self.inner.fill_buf()).await.context("no end in time")? {
            Ok(buffer) => Ok(buffer.is_empty()),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
            {
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
