//! Ed25519 keys and their files.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::{TokenError, pem};

/// `SubjectPublicKeyInfo` of an Ed25519 key up to its 32 key octets (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Most octets a key file may have.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// A private key and the id that names it in token headers. Redacted in Debug.
pub struct SigningKey {
    kid: String,
    pkcs8: Vec<u8>,
    public: PublicKey,
}

/// A public key and the id that names it in token headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The key id.
    pub kid: String,
    /// The 32 octets of RFC 8032.
    pub octets: [u8; 32],
}

// === impl SigningKey ===

impl SigningKey {
    /// A new random key called `kid`.
    ///
    /// # Errors
    /// [`TokenError::Key`] when `kid` is not a file name or the system has no randomness.
    pub fn generate(kid: &str) -> Result<Self, TokenError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| key_error(kid, "no randomness"))?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| key_error(kid, "cannot be encoded"))?;
        Self::from_pkcs8(kid, pkcs8.as_ref())
    }

    /// The key called `kid` from its PKCS#8 DER (version 1 or 2).
    ///
    /// # Errors
    /// [`TokenError::Key`].
    pub fn from_pkcs8(kid: &str, der: &[u8]) -> Result<Self, TokenError> {
        check_kid(kid)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map_err(|_| key_error(kid, "not PKCS#8 of an Ed25519 key"))?;
        // One encoding inside, whatever the file had.
        let pkcs8 = pair.to_pkcs8().map_err(|_| key_error(kid, "cannot be encoded"))?;
        let octets = pair.public_key().as_ref().try_into().map_err(|_| key_error(kid, "wrong length"))?;
        let public = PublicKey { kid: kid.to_owned(), octets };
        Ok(Self { kid: kid.to_owned(), pkcs8: pkcs8.as_ref().to_vec(), public })
    }

    /// The key called `kid` from `<directory>/<kid>.key`.
    ///
    /// # Errors
    /// [`TokenError::Read`] or [`TokenError::Key`].
    pub fn read(directory: &Path, kid: &str) -> Result<Self, TokenError> {
        check_kid(kid)?;
        let path = directory.join(format!("{kid}.key"));
        let der = pem::decode("PRIVATE KEY", &read(&path)?)
            .ok_or_else(|| key_error(&path.display().to_string(), "no PEM block PRIVATE KEY"))?;
        Self::from_pkcs8(kid, &der)
    }

    /// The only key of `directory`.
    ///
    /// # Errors
    /// [`TokenError::Key`] when there is no `<kid>.key` or more than one: then its id must be named.
    pub fn read_only_one(directory: &Path) -> Result<Self, TokenError> {
        match list(directory, "key")?.as_slice() {
            [path] => Self::read(directory, stem(path)),
            [] => Err(key_error(&directory.display().to_string(), "no file <kid>.key in this directory")),
            _ => Err(key_error(&directory.display().to_string(), "several <kid>.key: name the signing one")),
        }
    }

    /// Writes `<kid>.key` (readable by its owner only) and `<kid>.pub` into `directory`.
    ///
    /// # Errors
    /// [`TokenError::Read`] with the file that could not be written.
    pub fn write(&self, directory: &Path) -> Result<(), TokenError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;

        let path = directory.join(format!("{}.key", self.kid));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(pem::encode("PRIVATE KEY", &self.pkcs8).as_bytes()))
            .map_err(|source| TokenError::Read { path, source })?;
        self.public.write(directory)
    }

    /// The id that names the key in token headers.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

// === impl PublicKey ===

impl PublicKey {
    /// Every `<kid>.pub` of `directory`, in name order.
    ///
    /// # Errors
    /// [`TokenError::Read`] or [`TokenError::Key`].
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, TokenError> {
        let mut keys = Vec::new();
        for path in list(directory, "pub")? {
            keys.push(Self::from_pem(stem(&path), &read(&path)?)?);
        }
        Ok(keys)
    }

    /// The key called `kid` from the PEM text of its `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`TokenError::Key`].
    pub fn from_pem(kid: &str, text: &str) -> Result<Self, TokenError> {
        check_kid(kid)?;
        let der = pem::decode("PUBLIC KEY", text).ok_or_else(|| key_error(kid, "no PEM block PUBLIC KEY"))?;
        let octets = der
            .strip_prefix(&SPKI_PREFIX)
            .and_then(|octets| octets.try_into().ok())
            .ok_or_else(|| key_error(kid, "not SubjectPublicKeyInfo of an Ed25519 key"))?;
        Ok(Self { kid: kid.to_owned(), octets })
    }

    /// The PEM text of its `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &[SPKI_PREFIX.as_slice(), &self.octets].concat())
    }

    /// Writes `<kid>.pub` into `directory`.
    ///
    /// # Errors
    /// [`TokenError::Read`] with the file that could not be written.
    pub fn write(&self, directory: &Path) -> Result<(), TokenError> {
        let path = directory.join(format!("{}.pub", self.kid));
        fs::write(&path, self.to_pem()).map_err(|source| TokenError::Read { path, source })
    }
}

/// A key id is a file name and a JSON string: keep it plain.
fn check_kid(kid: &str) -> Result<(), TokenError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if kid.is_empty() || kid.len() > 64 || kid.starts_with('.') || !kid.bytes().all(plain) {
        return Err(key_error(kid, "a key id has 1 to 64 letters, digits, '-', '_' or '.'"));
    }
    Ok(())
}

/// The files of `directory` that end in `.<extension>`, in name order.
fn list(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, TokenError> {
    let fail = |source| TokenError::Read { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|end| end == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn read(path: &Path) -> Result<String, TokenError> {
    use std::io::Read as _;

    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE).read_to_string(&mut text))
        .map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

fn key_error(name: &str, reason: &'static str) -> TokenError {
    TokenError::Key { name: name.to_owned(), reason }
}
