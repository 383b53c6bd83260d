//! A throw-away certificate authority: made once per data folder, trusted by nobody but the tools that are pointed at it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// The authority's key and certificate, kept as PEM files in a folder.
#[derive(Debug)]
pub struct Authority {
    certificate: PathBuf,
    certificate_pem: String,
    key_pem: String,
}

impl Authority {
    /// Reads the authority of a folder, or makes it.
    ///
    /// # Errors
    /// The folder cannot be written, or what it holds is no key and certificate.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let certificate = folder.join("ca.crt");
        let key = folder.join("ca.key");
        if !certificate.exists() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let pair = KeyPair::generate()?;
            fs::write(&key, pair.serialize_pem())?;
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "Staffetta throw-away CA");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            fs::write(&certificate, CertifiedIssuer::self_signed(params, pair)?.pem())?;
        }
        let certificate_pem = fs::read_to_string(&certificate)?;
        let key_pem = fs::read_to_string(&key)?;
        Ok(Self { certificate, certificate_pem, key_pem })
    }

    /// The file with the authority's certificate, for clients to trust.
    #[must_use]
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// Issues a server certificate for names and addresses as `tls.crt` and `tls.key` of a folder, once.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn issue(&self, folder: &Path, names: &[String], address: IpAddr) -> anyhow::Result<()> {
        if folder.join("tls.crt").exists() {
            return Ok(());
        }
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, KeyPair::from_pem(&self.key_pem)?)?;
        let subjects: Vec<String> = names.iter().cloned().chain([address.to_string()]).collect();
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::new(subjects)?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("localhost", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        fs::create_dir_all(folder)?;
        fs::write(folder.join("tls.key"), pair.serialize_pem())?;
        fs::write(folder.join("tls.crt"), params.signed_by(&pair, &issuer)?.pem())?;
        Ok(())
    }
}
