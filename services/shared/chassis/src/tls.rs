//! TLS with rustls and aws-lc-rs: servers that choose by SNI and re-read their certificates, clients.
//!
//! Invariants: a certificate whose key does not match is never served; a broken file never takes down a name
//! that worked before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

mod client;
mod pairs;
mod server;
#[cfg(test)]
pub(crate) mod test_authority;

pub use client::{TlsClient, TlsClientConfig};
pub use server::{ClientAuth, TlsServer, TlsServerConfig};

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not PEM, or holds nothing of use.
    #[error("{path} holds no usable {what}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// `certificate`, `private key`.
        what: &'static str,
    },
    /// The pair of certificate and key is refused, e.g. because they do not belong together.
    #[error("certificate {name} cannot be used")]
    Pair {
        /// Its name in the folder.
        name: String,
        /// Why not.
        source: rustls::Error,
    },
    /// The folder has no pair at all, or not the default one.
    #[error("no certificate {name} in {path}")]
    Missing {
        /// The name looked for; `<name>.crt` for any.
        name: String,
        /// The folder.
        path: PathBuf,
    },
    /// The settings do not fit together.
    #[error("TLS settings cannot be used: {0}")]
    Settings(String),
}

/// The one cryptography provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Makes [`provider`] the process-wide default, for libraries that ask for one; a second call does nothing.
pub fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = || TlsError::Pem { path: path.to_owned(), what: "certificate" };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| unusable())?;
    if chain.is_empty() { Err(unusable()) } else { Ok(chain) }
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| TlsError::Pem { path: path.to_owned(), what: "private key" })
}

fn roots(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(|_| TlsError::Pem { path: path.to_owned(), what: "certificate" })?;
    }
    Ok(roots)
}

fn digest(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        let part = part.as_ref();
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
