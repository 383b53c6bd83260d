//! A connection, plain or TLS, from either side.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsStream;

use super::prepare;
use crate::tls::{TlsClient, TlsServer};

/// A TCP connection that may have turned to TLS.
#[derive(Debug)]
pub enum Connection {
    /// No TLS.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What was agreed in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// Protocol version, e.g. `TLSv1_3`.
    pub version: String,
    /// Cipher suite, e.g. `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name that the client asked for (server side).
    pub server_name: Option<String>,
    /// The certificates that the peer showed, its own first.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

impl Connection {
    /// Connects to `address` (from `local`, if given) within `limit`.
    ///
    /// # Errors
    /// The connection fails, or `TimedOut`.
    pub async fn connect(
        address: SocketAddr,
        local: Option<std::net::IpAddr>,
        limit: Duration,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(local) = local {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        let stream = tokio::time::timeout(limit, socket.connect(address))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "connection attempt timed out"))??;
        prepare(&stream)?;
        Ok(Self::Plain(stream))
    }

    /// Turns to TLS as the server. The caller must have thrown away every byte it had buffered: bytes sent
    /// before the handshake must never count as sent inside it.
    ///
    /// # Errors
    /// The handshake fails or takes longer than the server's limit.
    pub async fn start_tls(self, tls: &TlsServer) -> io::Result<Self> {
        let stream = tls.accept(self.into_plain()?).await?;
        Ok(Self::Tls(Box::new(TlsStream::Server(stream))))
    }

    /// Turns to TLS as the client of `name` (a host name or an address). As for [`Self::start_tls`], nothing
    /// read before may be kept.
    ///
    /// # Errors
    /// The handshake fails, the certificate is not good for `name`, or it takes longer than the limit.
    pub async fn start_tls_to(self, tls: &TlsClient, name: &str) -> io::Result<Self> {
        let stream = tls.connect(name, self.into_plain()?).await?;
        Ok(Self::Tls(Box::new(TlsStream::Client(stream))))
    }

    /// What was agreed in the handshake; none without TLS.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        let Self::Tls(stream) = self else { return None };
        let (_, session) = stream.get_ref();
        let server_name = match stream.as_ref() {
            TlsStream::Server(stream) => stream.get_ref().1.server_name().map(str::to_owned),
            TlsStream::Client(_) => None,
        };
        Some(TlsInfo {
            version: session.protocol_version().map(|it| format!("{it:?}")).unwrap_or_default(),
            cipher: session
                .negotiated_cipher_suite()
                .map(|it| format!("{:?}", it.suite()))
                .unwrap_or_default(),
            server_name,
            peer_certificates: session
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
        })
    }

    /// Whether it is inside TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// The address of the other end of the socket (a proxy's, behind one: see [`super::Peer`]).
    ///
    /// # Errors
    /// The socket is broken.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn into_plain(self) -> io::Result<TcpStream> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Tls(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "already inside TLS")),
        }
    }
}

impl AsyncRead for Connection {
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

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
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
