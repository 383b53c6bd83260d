//! Mail addresses as RFC 5321 writes them: a local part and a domain.
//!
//! A domain is kept lower-cased with IDNA A-labels, so that equality of [`Domain`] is equality of
//! domains. A local part is kept unquoted and in its own case (only the final host may fold it).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// RFC 5321 4.5.3.1.1: octets in a local part.
pub const MAX_LOCAL_PART: usize = 64;
/// RFC 5321 4.5.3.1.2: octets in a domain.
pub const MAX_DOMAIN: usize = 255;
/// RFC 5321 4.5.3.1.3: octets in a path, angle brackets included.
pub const MAX_PATH: usize = 256;

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `@`, or nothing follows it.
    #[error("the address has no domain")]
    MissingDomain,
    /// Nothing stands before the `@`.
    #[error("the address has no local part")]
    MissingLocalPart,
    /// The local part is not an RFC 5321 `Dot-string` or `Quoted-string`.
    #[error("the local part is malformed")]
    LocalPart,
    /// The domain is neither a host name (after IDNA) nor an address literal.
    #[error("the domain is malformed")]
    Domain,
    /// A limit of RFC 5321 4.5.3.1 is exceeded.
    #[error("the address is too long")]
    TooLong,
    /// The path is not `<...>` as RFC 5321 4.1.2 writes it.
    #[error("the path is malformed")]
    Path,
}

/// A domain: lower-case A-labels (`xn--...`) or an address literal (`[192.0.2.1]`, `[IPv6:2001:db8::1]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

/// An address: local part (unquoted, case kept) and domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: Box<str>,
    domain: Domain,
}

// === impl Domain ===

impl Domain {
    /// Parses a host name (Unicode is turned into A-labels) or an address literal.
    ///
    /// # Errors
    /// [`AddressError::Domain`] or [`AddressError::TooLong`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::MissingDomain);
        }
        if text.len() > MAX_DOMAIN {
            return Err(AddressError::TooLong);
        }
        if text.starts_with('[') {
            let ip = parse_literal(text).ok_or(AddressError::Domain)?;
            return Ok(Self::from_ip(ip));
        }
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY)
            .map_err(|_| AddressError::Domain)?;
        if ascii.len() > MAX_DOMAIN {
            return Err(AddressError::TooLong);
        }
        if !ascii.split('.').all(is_host_label) {
            return Err(AddressError::Domain);
        }
        Ok(Self(ascii.into_owned().into_boxed_str()))
    }

    /// The address literal of `ip` (RFC 5321 4.1.3).
    #[must_use]
    pub fn from_ip(ip: IpAddr) -> Self {
        let text = match ip {
            IpAddr::V4(v4) => format!("[{v4}]"),
            IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
        };
        Self(text.into_boxed_str())
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, if this is an address literal.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        parse_literal(&self.0)
    }

    /// Whether this is an address literal.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl AsRef<str> for Domain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

// === impl Address ===

impl Address {
    /// Parses `Mailbox` of RFC 5321 4.1.2: `local@domain`, the local part quoted or not.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, rest) = if text.starts_with('"') { split_quoted(text)? } else { split_dotted(text)? };
        let domain = rest.strip_prefix('@').ok_or(AddressError::MissingDomain)?;
        Self::new(&local, Domain::parse(domain)?)
    }

    /// An address of an unquoted local part (any printable ASCII and space) and a domain.
    ///
    /// # Errors
    /// [`AddressError::LocalPart`], [`AddressError::MissingLocalPart`] or [`AddressError::TooLong`].
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if local.is_empty() {
            return Err(AddressError::MissingLocalPart);
        }
        if !local.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(AddressError::LocalPart);
        }
        let quoted = if is_dot_string(local) { 0 } else { 2 };
        let escaped = local.bytes().filter(|b| matches!(b, b'"' | b'\\')).count();
        let length = local.len() + escaped + quoted;
        if length > MAX_LOCAL_PART || length + 1 + domain.as_str().len() + 2 > MAX_PATH {
            return Err(AddressError::TooLong);
        }
        Ok(Self { local: local.into(), domain })
    }

    /// Parses `Path` of RFC 5321 4.1.2: `<local@domain>`, a source route is skipped, `<>` is `None`.
    ///
    /// # Errors
    /// See [`AddressError`]; `<Postmaster>` without a domain is [`AddressError::MissingDomain`].
    pub fn parse_path(text: &str) -> Result<Option<Self>, AddressError> {
        let inner = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).ok_or(AddressError::Path)?;
        if inner.is_empty() {
            return Ok(None);
        }
        let mailbox = if inner.starts_with('@') {
            let (route, mailbox) = inner.split_once(':').ok_or(AddressError::Path)?;
            for hop in route.split(',') {
                Domain::parse(hop.strip_prefix('@').ok_or(AddressError::Path)?)?;
            }
            mailbox
        } else {
            inner
        };
        Self::parse(mailbox).map(Some)
    }

    /// The local part, unquoted.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The same address without its sub-address (`user+tag` becomes `user`).
    #[must_use]
    pub fn without_subaddress(&self) -> Self {
        let (base, _) = split_subaddress(&self.local);
        Self { local: base.into(), domain: self.domain.clone() }
    }
}

/// The address as RFC 5321 writes it; the local part is quoted where it must be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for c in self.local.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Splits `user+tag` into `("user", Some("tag"))`; a leading `+` is no separator (RFC 5233).
#[must_use]
pub fn split_subaddress(local: &str) -> (&str, Option<&str>) {
    match local.split_once('+') {
        Some((base, tag)) if !base.is_empty() => (base, Some(tag)),
        _ => (local, None),
    }
}

/// `Dot-string = Atom *("." Atom)`: takes all up to the `@`.
fn split_dotted(text: &str) -> Result<(String, &str), AddressError> {
    let at = text.find('@').ok_or(AddressError::MissingDomain)?;
    let local = &text[..at];
    if local.is_empty() {
        return Err(AddressError::MissingLocalPart);
    }
    if !is_dot_string(local) {
        return Err(AddressError::LocalPart);
    }
    Ok((local.to_owned(), &text[at..]))
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`: returns its content and what follows.
fn split_quoted(text: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((local, &text[at + 1..])),
            '\\' => local.push(chars.next().ok_or(AddressError::LocalPart)?.1),
            _ => local.push(c),
        }
    }
    Err(AddressError::LocalPart)
}

fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// `atext` of RFC 5322 3.2.3.
pub(crate) fn is_atext(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b)
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `address-literal` of RFC 5321 4.1.3 (no general literals).
fn parse_literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inner[5..].parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests;
