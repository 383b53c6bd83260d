//! The connection below a session: something with octets that can turn to TLS.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use staffetta_chassis::net::Connection;
use staffetta_chassis::tls::TlsServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a session is driven on: sockets in the process, pipes in tests.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sized {
    /// Whether TLS is on.
    fn is_secure(&self) -> bool;

    /// Whether it can turn to TLS.
    fn offers_tls(&self) -> bool;

    /// Turns to TLS. The caller has thrown away what it had read.
    fn start_tls(self) -> impl Future<Output = io::Result<Self>> + Send;
}

/// A network connection and the certificates it may turn to.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
    tls: Option<TlsServer>,
}

impl Socket {
    /// A connection as it was accepted.
    #[must_use]
    pub fn new(connection: Connection, tls: Option<TlsServer>) -> Self {
        Self { connection, tls }
    }
}

impl Transport for Socket {
    fn is_secure(&self) -> bool {
        self.connection.is_tls()
    }

    fn offers_tls(&self) -> bool {
        self.tls.is_some() && !self.connection.is_tls()
    }

    async fn start_tls(self) -> io::Result<Self> {
        let Some(tls) = self.tls else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "there are no certificates"));
        };
        let connection = self.connection.start_tls(&tls).await?;
        Ok(Self { connection, tls: Some(tls) })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
