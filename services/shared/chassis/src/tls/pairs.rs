//! A folder of certificates: finding the pairs, reading them, choosing one by name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TlsError, certificates, digest, private_key, read};

/// The files of one pair, read but not understood yet.
pub(super) struct PairFiles {
    name: String,
    certificate: PathBuf,
    key: PathBuf,
    certificate_pem: Vec<u8>,
    key_pem: Vec<u8>,
}

/// One usable pair.
#[derive(Clone)]
pub(super) struct Pair {
    key: Arc<CertifiedKey>,
    dns_names: Vec<String>,
    /// Seconds since 1970.
    pub(super) not_after: i64,
}

/// Pairs by their name in the folder: `<name>.crt` and `<name>.key`, a mounted Secret `tls.crt` and `tls.key`
/// (named `tls`), and the same one folder deeper (named after the sub-folder).
pub(super) fn find(folder: &Path) -> Result<Vec<PairFiles>, TlsError> {
    let mut found = Vec::new();
    for path in visible_entries(folder)? {
        if path.is_dir() {
            for inner in visible_entries(&path)? {
                found.extend(pair_at(&inner, Some(&path)));
            }
        } else {
            found.extend(pair_at(&path, None));
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(name, certificate, key)| {
            let (certificate_pem, key_pem) = (read(&certificate)?, read(&key)?);
            Ok(PairFiles { name, certificate, key, certificate_pem, key_pem })
        })
        .collect()
}

/// Kubernetes mounts Secrets through `..data` links: hidden names are its own business.
fn visible_entries(folder: &Path) -> Result<Vec<PathBuf>, TlsError> {
    let failed = |source| TlsError::Read { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}

fn pair_at(certificate: &Path, folder: Option<&Path>) -> Option<(String, PathBuf, PathBuf)> {
    if certificate.extension()? != "crt" {
        return None;
    }
    let stem = certificate.file_stem()?.to_str()?;
    let name = match folder {
        Some(folder) if stem == "tls" => folder.file_name()?.to_str()?.to_owned(),
        Some(folder) => format!("{}/{stem}", folder.file_name()?.to_str()?),
        None => stem.to_owned(),
    };
    // `ca.crt` stands beside `tls.crt` in Secrets and has no key.
    let key = certificate.with_extension("key");
    key.exists().then(|| (name, certificate.to_owned(), key))
}

/// Changes when any byte of any file does.
pub(super) fn fingerprint(files: &[PairFiles]) -> [u8; 32] {
    digest(files.iter().flat_map(|files| {
        [files.name.as_bytes(), files.certificate_pem.as_slice(), files.key_pem.as_slice()]
    }))
}

impl PairFiles {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn understand(&self, provider: &CryptoProvider) -> Result<Pair, TlsError> {
        let chain = certificates(&self.certificate, &self.certificate_pem)?;
        let key = private_key(&self.key, &self.key_pem)?;
        let (dns_names, not_after) = {
            let unusable = || TlsError::Pem { path: self.certificate.clone(), what: "certificate" };
            let own = chain.first().ok_or_else(unusable)?;
            let (_, parsed) = X509Certificate::from_der(own).map_err(|_| unusable())?;
            (dns_names(&parsed), parsed.validity().not_after.timestamp())
        };
        // Also checks that key and certificate belong together.
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|source| TlsError::Pair { name: self.name.clone(), source })?;
        Ok(Pair { key: Arc::new(key), dns_names, not_after })
    }
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

/// Chooses by the name in the client's hello: the exact name, then a wildcard, then the default.
pub(super) struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// `*.example.org` under `example.org`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    pub(super) fn new(pairs: &BTreeMap<String, Pair>, default: &Pair) -> Self {
        let mut by_name =
            Self { exact: HashMap::new(), wildcard: HashMap::new(), default: Arc::clone(&default.key) };
        for pair in pairs.values() {
            for name in &pair.dns_names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut by_name.wildcard, parent),
                    None => (&mut by_name.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_insert_with(|| Arc::clone(&pair.key));
            }
        }
        by_name
    }

    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let Some(name) = name.map(str::to_ascii_lowercase) else { return Arc::clone(&self.default) };
        let parent = name.split_once('.').map_or("", |(_, parent)| parent);
        let found = self.exact.get(&name).or_else(|| self.wildcard.get(parent));
        Arc::clone(found.unwrap_or(&self.default))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ByName").field("exact", &self.exact.keys()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()))
    }
}
