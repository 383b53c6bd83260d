//! The client side: trusted authorities, an own certificate where peers ask for one.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{TlsError, certificates, digest, private_key, provider, read, roots};

/// Trust and identity of a client.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsClientConfig {
    /// PEM file with the trusted authorities; default those of the system.
    pub ca: Option<PathBuf>,
    /// PEM file with the own certificate chain, for servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// PEM file with its key.
    pub key: Option<PathBuf>,
    /// A handshake takes at most this long; default 10 s.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
}

impl Default for TlsClientConfig {
    fn default() -> Self {
        Self { ca: None, certificate: None, key: None, handshake_timeout: Duration::from_secs(10) }
    }
}

/// The client side of TLS; clones share the settings.
#[derive(Clone)]
pub struct TlsClient {
    inner: Arc<Inner>,
}

struct Inner {
    /// None for the opportunistic client, which reads no files.
    config: Option<TlsClientConfig>,
    alpn: Vec<Vec<u8>>,
    handshake_timeout: Duration,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    fingerprint: [u8; 32],
    client: Arc<ClientConfig>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TlsClient").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl TlsClient {
    /// A client that verifies its peer.
    ///
    /// # Errors
    /// Files that cannot be read or used.
    pub fn load(config: &TlsClientConfig) -> Result<Self, TlsError> {
        Self::load_for(config, &[])
    }

    /// As [`Self::load`], offering the protocols `alpn`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(config: &TlsClientConfig, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let current = ArcSwap::from_pointee(gather(config)?.assemble(&alpn)?);
        let handshake_timeout = config.handshake_timeout;
        let inner = Inner { config: Some(config.clone()), alpn, handshake_timeout, current };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A client that takes any certificate: encryption against listeners, no more. For protocols whose
    /// alternative is plain text.
    ///
    /// # Errors
    /// The provider lacks the default protocol versions.
    pub fn opportunistic(handshake_timeout: Duration) -> Result<Self, TlsError> {
        let client = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            .with_no_client_auth();
        let current = ArcSwap::from_pointee(Loaded { fingerprint: [0; 32], client: Arc::new(client) });
        let inner = Inner { config: None, alpn: Vec::new(), handshake_timeout, current };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads the files again; when they cannot be used, the old ones stay and the error is logged.
    pub fn refresh(&self) {
        let Some(config) = &self.inner.config else { return };
        let fresh = gather(config).and_then(|files| {
            if files.fingerprint == self.inner.current.load().fingerprint {
                return Ok(None);
            }
            files.assemble(&self.inner.alpn).map(Some)
        });
        match fresh {
            Ok(None) => {}
            Ok(Some(loaded)) => self.inner.current.store(Arc::new(loaded)),
            Err(error) => tracing::error!(%error, "client TLS files could not be reloaded, keeping the old"),
        }
    }

    /// The handshake with `name` (a host name or an address), within the limit.
    ///
    /// # Errors
    /// What the handshake says, a name that is none, or `TimedOut`.
    pub async fn connect<IO>(&self, name: &str, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&self.inner.current.load().client));
        tokio::time::timeout(self.inner.handshake_timeout, connector.connect(name, io))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake timed out"))?
    }
}

struct Files {
    fingerprint: [u8; 32],
    roots: RootCertStore,
    identity: Option<(PathBuf, Vec<u8>, PathBuf, Vec<u8>)>,
}

fn gather(config: &TlsClientConfig) -> Result<Files, TlsError> {
    let (roots, ca) = match &config.ca {
        Some(path) => {
            let pem = read(path)?;
            (roots(path, &pem)?, pem)
        }
        None => (system_roots(), Vec::new()),
    };
    let identity = match (&config.certificate, &config.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some((certificate.clone(), read(certificate)?, key.clone(), read(key)?))
        }
        _ => return Err(TlsError::Settings("certificate and key are set together".to_owned())),
    };
    let (certificate, key): (&[u8], &[u8]) =
        identity.as_ref().map_or((&[], &[]), |(_, certificate, _, key)| (certificate, key));
    Ok(Files { fingerprint: digest([&ca, certificate, key]), roots, identity })
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

impl Files {
    fn assemble(self, alpn: &[Vec<u8>]) -> Result<Loaded, TlsError> {
        let builder = builder()?.with_root_certificates(self.roots);
        let mut client = match self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, certificate_pem, key, key_pem)) => builder
                .with_client_auth_cert(
                    certificates(&certificate, &certificate_pem)?,
                    private_key(&key, &key_pem)?,
                )
                .map_err(|source| TlsError::Pair { name: certificate.display().to_string(), source })?,
        };
        client.alpn_protocols = alpn.to_vec();
        Ok(Loaded { fingerprint: self.fingerprint, client: Arc::new(client) })
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Settings(error.to_string()))
}

/// Checks signatures (the peer holds the key it shows), not who it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
