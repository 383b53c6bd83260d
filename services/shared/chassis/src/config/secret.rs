//! A setting that must not be seen.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A secret: from the environment, or from a file with `{ file = "/run/secrets/name" }` (one trailing line
/// end is dropped). Its Debug shows nothing; memory is wiped on drop.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself: call it where it is used, keep nothing.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_empty() { "Secret(unset)" } else { "Secret(..)" })
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.expose().as_bytes(), other.expose().as_bytes()).into()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string or { file = \"path\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let Some((key, path)) = map.next_entry::<String, String>()? else {
            return Err(A::Error::missing_field("file"));
        };
        if key != "file" || map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("a secret is a string or { file = \"path\" }"));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| A::Error::custom(format!("cannot read secret file {path}: {error}")))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
    }
}
