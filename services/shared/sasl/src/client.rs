//! The client's side: response lines, already in base64. They hold passwords: wipe or drop them at once.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::encode_base64;

/// The initial response of PLAIN (RFC 4616 2), without an authorization identity.
#[must_use]
pub fn plain(name: &str, password: &SecretString) -> Zeroizing<String> {
    let message = Zeroizing::new(format!("\0{name}\0{}", password.expose_secret()));
    Zeroizing::new(encode_base64(message.as_bytes()))
}

/// The answer to LOGIN's first prompt.
#[must_use]
pub fn login_name(name: &str) -> String {
    encode_base64(name.as_bytes())
}

/// The answer to LOGIN's second prompt.
#[must_use]
pub fn login_password(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(encode_base64(password.expose_secret().as_bytes()))
}
