//! A mail server that does as it is told and remembers what it was told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Closes the connection instead of answering.
pub(super) const DROP: &str = "DROP";
/// Never answers.
pub(super) const STALL: &str = "STALL";

/// The server. Rules are looked up by the beginning of a line; `.` is the end of a body, `greeting` the greeting, `tls` (with
/// [`DROP`]) the TLS handshake.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// PEM of its certificate.
    pub(super) certificate: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    capabilities: Mutex<Vec<&'static str>>,
    always: Mutex<Vec<(&'static str, &'static str)>>,
    once: Mutex<VecDeque<(&'static str, &'static str)>>,
    seen: Mutex<Seen>,
    progress: Notify,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    pub(super) lines: Vec<String>,
    /// What single reads brought.
    pub(super) reads: Vec<String>,
    pub(super) bodies: Vec<String>,
    pub(super) encrypted: usize,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

enum Next {
    Go,
    StartTls,
    Close,
}

impl Peer {
    pub(super) async fn start() -> Self {
        Self::on("127.0.0.1:0").await
    }

    #[expect(clippy::disallowed_methods, reason = "a stranger's server, not ours")]
    pub(super) async fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let issued = rcgen::generate_simple_self_signed(vec!["mx.south.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
        let provider = staffetta_chassis::tls::provider();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let peer = Self {
            address: listener.local_addr().unwrap(),
            certificate: issued.cert.pem(),
            state: Arc::default(),
        };
        let state = peer.state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (state, acceptor) = (state.clone(), acceptor.clone());
                tokio::spawn(async move { state.serve(socket, acceptor).await });
            }
        });
        peer
    }

    pub(super) fn offers(self, capabilities: &[&'static str]) -> Self {
        *self.state.capabilities.lock().unwrap() = capabilities.to_vec();
        self
    }

    pub(super) fn always(self, prefix: &'static str, reply: &'static str) -> Self {
        self.state.always.lock().unwrap().push((prefix, reply));
        self
    }

    pub(super) fn once(self, prefix: &'static str, reply: &'static str) -> Self {
        self.state.once.lock().unwrap().push_back((prefix, reply));
        self
    }

    pub(super) fn seen(&self) -> Seen {
        self.state.seen.lock().unwrap().clone()
    }

    /// Waits until what was seen is `enough`.
    pub(super) async fn until(&self, enough: impl Fn(&Seen) -> bool) -> Seen {
        let waiting = async {
            loop {
                let progress = self.state.progress.notified();
                tokio::pin!(progress);
                progress.as_mut().enable();
                let seen = self.seen();
                if enough(&seen) {
                    return seen;
                }
                progress.await;
            }
        };
        let limit = std::time::Duration::from_secs(30);
        match tokio::time::timeout(limit, waiting).await {
            Ok(seen) => seen,
            Err(_) => panic!("only this was seen: {:?}", self.seen()),
        }
    }
}

impl State {
    fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.progress.notify_waiters();
    }

    fn answer(&self, line: &str, default: &str) -> String {
        let matches = |prefix: &str| line.to_ascii_uppercase().starts_with(&prefix.to_ascii_uppercase());
        let mut once = self.once.lock().unwrap();
        if let Some(index) = once.iter().position(|(prefix, _)| matches(prefix)) {
            return once.remove(index).unwrap().1.to_owned();
        }
        let always = self.always.lock().unwrap();
        always.iter().find(|(prefix, _)| matches(prefix)).map_or(default, |(_, reply)| reply).to_owned()
    }

    async fn serve(&self, socket: impl Stream, acceptor: TlsAcceptor) {
        self.see(|seen| seen.connections += 1);
        let mut socket = socket;
        if !self.say(&mut socket, "greeting", "220 mx.south.test").await {
            return;
        }
        if !matches!(self.talk(&mut socket).await, Next::StartTls) {
            return;
        }
        if self.answer("tls", "") == DROP {
            let _ = socket.write_all(b"this is not TLS\r\n").await;
            return;
        }
        if let Ok(mut encrypted) = acceptor.accept(socket).await {
            self.see(|seen| seen.encrypted += 1);
            self.talk(&mut encrypted).await;
        }
    }

    async fn talk(&self, stream: &mut impl Stream) -> Next {
        let mut buffer = BytesMut::new();
        loop {
            while let Some(end) = memchr::memmem::find(&buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&buffer.split_to(end + 2)[..end]).into_owned();
                match self.line(stream, &mut buffer, &line).await {
                    Next::Go => {}
                    other => return other,
                }
            }
            if !self.read(stream, &mut buffer).await {
                return Next::Close;
            }
        }
    }

    async fn line(&self, stream: &mut impl Stream, buffer: &mut BytesMut, line: &str) -> Next {
        self.see(|seen| seen.lines.push(line.to_owned()));
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let capabilities = self.capabilities.lock().unwrap().clone();
        let ehlo = capabilities
            .iter()
            .fold("250-mx.south.test".to_owned(), |all, one| format!("{all}\r\n250-{one}"));
        let default = match verb.as_str() {
            "EHLO" => ehlo + "\r\n250 HELP",
            "DATA" => "354 go".to_owned(),
            "STARTTLS" => "220 go".to_owned(),
            "AUTH" => "235 2.7.0 welcome".to_owned(),
            "QUIT" => "221 bye".to_owned(),
            _ => "250 2.1.0 ok".to_owned(),
        };
        let answer = self.answer(line, &default);
        if !self.send(stream, &answer).await {
            return Next::Close;
        }
        match verb.as_str() {
            "STARTTLS" if answer.starts_with("220") => Next::StartTls,
            "QUIT" => Next::Close,
            "DATA" if answer.starts_with("354") => self.body(stream, buffer).await,
            _ if answer.starts_with("421") => Next::Close,
            _ => Next::Go,
        }
    }

    async fn body(&self, stream: &mut impl Stream, buffer: &mut BytesMut) -> Next {
        let end = loop {
            if buffer.starts_with(b".\r\n") {
                break 0;
            }
            if let Some(end) = memchr::memmem::find(buffer, b"\r\n.\r\n") {
                break end + 2;
            }
            if !self.read(stream, buffer).await {
                return Next::Close;
            }
        };
        let body = String::from_utf8_lossy(&buffer.split_to(end)).into_owned();
        let _ = buffer.split_to(3);
        self.see(|seen| seen.bodies.push(body));
        if self.say(stream, ".", "250 2.0.0 queued").await { Next::Go } else { Next::Close }
    }

    async fn read(&self, stream: &mut impl Stream, buffer: &mut BytesMut) -> bool {
        let before = buffer.len();
        buffer.reserve(16 * 1024);
        let read = stream.read_buf(buffer).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&buffer[before..]).into_owned();
        self.see(|seen| seen.reads.push(text));
        read > 0
    }

    async fn say(&self, stream: &mut impl Stream, what: &str, default: &str) -> bool {
        let answer = self.answer(what, default);
        self.send(stream, &answer).await && !answer.starts_with("421")
    }

    async fn send(&self, stream: &mut impl Stream, answer: &str) -> bool {
        match answer {
            DROP => false,
            STALL => std::future::pending().await,
            text => {
                stream.write_all(format!("{text}\r\n").as_bytes()).await.is_ok()
                    && stream.flush().await.is_ok()
            }
        }
    }
}
