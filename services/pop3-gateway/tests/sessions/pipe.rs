//! A transport made of two pipes: one for what is said in the clear, one for what is said after the handshake.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use staffetta_pop3_gateway::connection::Transport;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

const CAPACITY: usize = 1024;

/// The server's end.
pub(crate) struct Pipe {
    current: DuplexStream,
    /// Swapped in by the handshake: octets left in the first pipe are never seen again.
    tls: Option<DuplexStream>,
    secure: bool,
}

/// The client's end.
pub(crate) struct Client {
    pub(crate) current: DuplexStream,
    pub(crate) tls: Option<DuplexStream>,
}

pub(crate) fn pipe(secure: bool, offers_tls: bool) -> (Pipe, Client) {
    let (server, client) = duplex(CAPACITY);
    let (server_tls, client_tls) = if offers_tls {
        let (server, client) = duplex(CAPACITY);
        (Some(server), Some(client))
    } else {
        (None, None)
    };
    (Pipe { current: server, tls: server_tls, secure }, Client { current: client, tls: client_tls })
}

impl Transport for Pipe {
    fn is_secure(&self) -> bool {
        self.secure
    }

    fn offers_tls(&self) -> bool {
        self.tls.is_some()
    }

    async fn start_tls(self) -> io::Result<Self> {
        let tls = self.tls.ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self { current: tls, tls: None, secure: true })
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.current).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.current).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.current).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.current).poll_shutdown(cx)
    }
}
