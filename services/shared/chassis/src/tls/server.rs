//! The server side: a folder of certificates, re-read by content.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pairs::{self, ByName, Pair};
use super::{TlsError, digest, provider, read, roots};
use crate::process::Context;
use crate::tasks::Tasks;

/// Certificates of a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsServerConfig {
    /// Folder with `<name>.crt` and `<name>.key`, or mounted Secrets (`tls.crt`, `tls.key`), also one folder
    /// deeper.
    pub directory: PathBuf,
    /// Name of the pair for clients that ask for no name or an unknown one; default the first by name.
    #[serde(default)]
    pub default_certificate: Option<String>,
    /// How often the folder is read again; default 30 s.
    #[serde(with = "humantime_serde", default = "TlsServerConfig::default_reload_interval")]
    pub reload_interval: Duration,
    /// A handshake takes at most this long; default 10 s.
    #[serde(with = "humantime_serde", default = "TlsServerConfig::default_handshake_timeout")]
    pub handshake_timeout: Duration,
    /// Whether clients show a certificate; default `none`.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// PEM file with the authorities of client certificates; needed unless `client_auth` is `none`.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

impl TlsServerConfig {
    /// The defaults with the certificates in `directory`.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            default_certificate: None,
            reload_interval: Self::default_reload_interval(),
            handshake_timeout: Self::default_handshake_timeout(),
            client_auth: ClientAuth::None,
            client_ca: None,
        }
    }

    fn default_reload_interval() -> Duration {
        Duration::from_secs(30)
    }

    fn default_handshake_timeout() -> Duration {
        Duration::from_secs(10)
    }
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They may; one that is shown must be good.
    Optional,
    /// They must.
    Required,
}

/// The server side of TLS; clones share the certificates.
#[derive(Clone)]
pub struct TlsServer {
    inner: Arc<Inner>,
}

struct Inner {
    config: TlsServerConfig,
    alpn: Vec<Vec<u8>>,
    current: ArcSwap<ServerConfig>,
    loaded: Mutex<Loaded>,
    metrics: TlsMetrics,
}

struct Loaded {
    fingerprint: [u8; 32],
    pairs: BTreeMap<String, Pair>,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TlsServer").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Reads the folder (every pair must be good the first time) and keeps reading it as one of `tasks`.
    ///
    /// # Errors
    /// Files that cannot be read or used, or no pair at all.
    pub fn load(config: &TlsServerConfig, context: &Context, tasks: &Tasks) -> Result<Self, TlsError> {
        Self::load_for(config, &[], context, tasks)
    }

    /// As [`Self::load`], offering the protocols `alpn`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(
        config: &TlsServerConfig,
        alpn: &[&[u8]],
        context: &Context,
        tasks: &Tasks,
    ) -> Result<Self, TlsError> {
        let metrics = TlsMetrics::new(context);
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let (fingerprint, files, verifier) = gather(config)?;
        let provider = provider();
        let mut pairs = BTreeMap::new();
        for file in files {
            pairs.insert(file.name().to_owned(), file.understand(&provider)?);
        }
        let current = assemble(config, &alpn, &pairs, verifier)?;
        metrics.loaded(&pairs);
        let inner = Inner {
            config: config.clone(),
            alpn,
            current: ArcSwap::from(current),
            loaded: Mutex::new(Loaded { fingerprint, pairs }),
            metrics,
        };
        let server = Self { inner: Arc::new(inner) };
        let (reloading, clock) = (server.clone(), Arc::clone(&context.clock));
        tasks.spawn(async move {
            loop {
                clock.sleep(reloading.inner.config.reload_interval).await;
                let server = reloading.clone();
                // Reading files blocks.
                let _ = tokio::task::spawn_blocking(move || server.reload()).await;
            }
        });
        Ok(server)
    }

    /// Reads the folder now. A pair that cannot be used keeps the one that was served under its name; a
    /// folder that cannot be read changes nothing. Both are logged and counted.
    pub fn reload(&self) {
        if let Err(error) = self.try_reload() {
            tracing::error!(error = %Chain(&error), "certificates could not be reloaded, keeping the old ones");
            self.inner.metrics.failed("all");
        }
    }

    fn try_reload(&self) -> Result<(), TlsError> {
        let (fingerprint, files, verifier) = gather(&self.inner.config)?;
        let mut loaded = self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.fingerprint == fingerprint {
            return Ok(());
        }
        let provider = provider();
        let mut pairs = BTreeMap::new();
        for file in files {
            let name = file.name();
            match file.understand(&provider) {
                Ok(pair) => {
                    pairs.insert(name.to_owned(), pair);
                }
                Err(error) => {
                    let old = loaded.pairs.get(name).cloned();
                    let kept = old.is_some();
                    tracing::error!(certificate = name, kept, error = %Chain(&error), "certificate is broken");
                    self.inner.metrics.failed(name);
                    pairs.extend(old.map(|old| (name.to_owned(), old)));
                }
            }
        }
        self.inner.current.store(assemble(&self.inner.config, &self.inner.alpn, &pairs, verifier)?);
        self.inner.metrics.loaded(&pairs);
        tracing::info!(certificates = pairs.len(), "certificates reloaded");
        *loaded = Loaded { fingerprint, pairs };
        Ok(())
    }

    /// The handshake, within the limit.
    ///
    /// # Errors
    /// What the handshake says, or `TimedOut`.
    pub async fn accept<IO>(&self, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.inner.current.load_full());
        tokio::time::timeout(self.inner.config.handshake_timeout, acceptor.accept(io))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake timed out"))?
    }
}

type Verifier = Option<Arc<dyn ClientCertVerifier>>;

fn gather(config: &TlsServerConfig) -> Result<([u8; 32], Vec<pairs::PairFiles>, Verifier), TlsError> {
    let files = pairs::find(&config.directory)?;
    let (verifier, ca) = match (config.client_auth, &config.client_ca) {
        (ClientAuth::None, _) => (None, Vec::new()),
        (_, None) => return Err(TlsError::Settings("client_auth needs client_ca".to_owned())),
        (auth, Some(path)) => {
            let pem = read(path)?;
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path, &pem)?), provider());
            let builder =
                if auth == ClientAuth::Optional { builder.allow_unauthenticated() } else { builder };
            let verifier = builder.build().map_err(|error| TlsError::Settings(error.to_string()))?;
            (Some(verifier), pem)
        }
    };
    let fingerprint = digest([pairs::fingerprint(&files).as_slice(), &ca]);
    Ok((fingerprint, files, verifier))
}

fn assemble(
    config: &TlsServerConfig,
    alpn: &[Vec<u8>],
    pairs: &BTreeMap<String, Pair>,
    verifier: Verifier,
) -> Result<Arc<ServerConfig>, TlsError> {
    let default = match &config.default_certificate {
        Some(name) => pairs.get(name),
        None => pairs.values().next(),
    };
    let default = default.ok_or_else(|| TlsError::Missing {
        name: config.default_certificate.clone().unwrap_or_else(|| "<name>.crt".to_owned()),
        path: config.directory.clone(),
    })?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Settings(error.to_string()))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_cert_resolver(Arc::new(ByName::new(pairs, default)));
    server.alpn_protocols = alpn.to_vec();
    Ok(Arc::new(server))
}

struct TlsMetrics {
    not_after: Gauge<i64>,
    failures: Counter<u64>,
}

impl TlsMetrics {
    fn new(context: &Context) -> Self {
        Self {
            not_after: context
                .meter
                .i64_gauge("tls_certificate_not_after_seconds")
                .with_description("End of validity, seconds since 1970")
                .build(),
            failures: context.meter.u64_counter("tls_reload_failures").build(),
        }
    }

    fn loaded(&self, pairs: &BTreeMap<String, Pair>) {
        for (name, pair) in pairs {
            self.not_after.record(pair.not_after, &[KeyValue::new("certificate", name.clone())]);
        }
    }

    fn failed(&self, name: &str) {
        self.failures.add(1, &[KeyValue::new("certificate", name.to_owned())]);
    }
}

/// An error with its causes in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
