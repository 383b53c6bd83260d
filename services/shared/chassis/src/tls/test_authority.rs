//! A throw-away authority for this crate's tests.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

pub(crate) struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Certificate and key as PEM.
    pub(crate) fn issue(&self, dns_names: &[&str], uri: Option<&str>) -> (String, String) {
        let names: Vec<String> = dns_names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if let Some(uri) = uri {
            params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Writes `<name>.crt` and `<name>.key`.
    pub(crate) fn write_pair(&self, folder: &Path, name: &str, dns_names: &[&str]) {
        let (certificate, key) = self.issue(dns_names, None);
        std::fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }

    /// Writes the authority's own certificate and returns where.
    pub(crate) fn write_ca(&self, folder: &Path) -> PathBuf {
        let path = folder.join("authority.pem");
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }
}
