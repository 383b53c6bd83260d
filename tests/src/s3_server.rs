//! A server that speaks S3, in this process, with faults on demand.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// The name of the one key.
pub const ACCESS_KEY: &str = "staffetta";
/// The key.
pub const SECRET_KEY: &str = "only-for-tests";

const PORT: u16 = 9000;

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    folder: PathBuf,
    faults: Arc<Faults>,
    serving: JoinHandle<()>,
}

/// What goes wrong now, and what was counted.
#[derive(Debug, Default)]
struct Faults {
    unavailable: AtomicBool,
    delay_milliseconds: AtomicU64,
    puts: AtomicU64,
    refused: AtomicU64,
}

impl S3Server {
    /// Serves the objects below a folder.
    ///
    /// # Errors
    /// The address is taken or the folder cannot be made.
    pub fn start(host: IpAddr, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let files = FileSystem::new(folder).map_err(|error| anyhow::anyhow!("s3s-fs: {error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let socket = if host.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(host, PORT))?;
        let listener = socket.listen(256)?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Faults::default());
        let serving = tokio::spawn(serve(listener, builder.build(), Arc::clone(&faults)));
        Ok(Self { address, folder: folder.to_owned(), faults, serving })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create_bucket(&self, name: &str) -> anyhow::Result<()> {
        Ok(std::fs::create_dir_all(self.folder.join(name))?)
    }

    /// From now on every request is answered 503, or none.
    pub fn unavailable(&self, unavailable: bool) {
        self.faults.unavailable.store(unavailable, Ordering::SeqCst);
    }

    /// From now on every request waits this long.
    pub fn delay(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.faults.delay_milliseconds.store(milliseconds, Ordering::SeqCst);
    }

    /// PUT requests so far, the refused ones not counted.
    #[must_use]
    pub fn puts(&self) -> u64 {
        self.faults.puts.load(Ordering::SeqCst)
    }

    /// Requests answered 503 so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.faults.refused.load(Ordering::SeqCst)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (service, faults) = (service.clone(), Arc::clone(&faults));
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| {
                let (service, faults) = (service.clone(), Arc::clone(&faults));
                async move { Ok::<_, Infallible>(answer(service, &faults, request).await) }
            });
            // The peer may be killed at any moment.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    service: S3Service,
    faults: &Faults,
    request: http::Request<hyper::body::Incoming>,
) -> http::Response<s3s::Body> {
    tokio::time::sleep(Duration::from_millis(faults.delay_milliseconds.load(Ordering::SeqCst))).await;
    if faults.unavailable.load(Ordering::SeqCst) {
        faults.refused.fetch_add(1, Ordering::SeqCst);
        return refusal(http::StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    }
    if request.method() == http::Method::PUT {
        faults.puts.fetch_add(1, Ordering::SeqCst);
    }
    match service.call(request.map(s3s::Body::from)).await {
        Ok(response) => response,
        Err(_) => refusal(http::StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    }
}

fn refusal(status: http::StatusCode, code: &str) -> http::Response<s3s::Body> {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>on demand</Message></Error>");
    let mut response = http::Response::new(s3s::Body::from(body));
    *response.status_mut() = status;
    response
}
