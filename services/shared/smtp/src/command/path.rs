//! Paths of MAIL and RCPT (RFC 5321 4.1.2).

use staffetta_message::address::{Address, AddressError, MAX_PATH};

use super::CommandError;

/// Where a message comes from; `None` is the null reverse-path `<>`.
pub type ReversePath = Option<Address>;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// An address.
    Address(Address),
    /// `<Postmaster>` without a domain, which every server must take (RFC 5321 4.5.1).
    Postmaster,
}

/// Splits `Reverse-path` off the front of `text`.
pub(super) fn reverse_path(text: &str) -> Result<(ReversePath, &str), CommandError> {
    let (path, rest) = split(text).map_err(CommandError::BadSender)?;
    let address = Address::parse_path(path).map_err(|error| CommandError::BadSender(hint(error)))?;
    Ok((address, rest))
}

/// Splits `Forward-path` or `<Postmaster>` off the front of `text`.
pub(super) fn forward_path(text: &str) -> Result<(ForwardPath, &str), CommandError> {
    let (path, rest) = split(text).map_err(CommandError::BadRecipient)?;
    if path.eq_ignore_ascii_case("<postmaster>") {
        return Ok((ForwardPath::Postmaster, rest));
    }
    match Address::parse_path(path) {
        Ok(Some(address)) => Ok((ForwardPath::Address(address), rest)),
        Ok(None) => Err(CommandError::BadRecipient("it is empty")),
        Err(error) => Err(CommandError::BadRecipient(hint(error))),
    }
}

/// Splits `<...>` off the front; a `>` inside a quoted local part does not end it.
fn split(text: &str) -> Result<(&str, &str), &'static str> {
    if !text.starts_with('<') {
        return Err("put it between < and >");
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => {
                let (path, rest) = text.split_at(at + 1);
                // A source route is dropped, so its octets do not count towards the limit of the address.
                return match rest.as_bytes().first() {
                    None | Some(b' ' | b'\t') if path.len() <= 4 * MAX_PATH => Ok((path, rest)),
                    None | Some(b' ' | b'\t') => Err("it is too long"),
                    Some(_) => Err("text after the >"),
                };
            }
            _ => {}
        }
    }
    Err("the closing > is missing")
}

fn hint(error: AddressError) -> &'static str {
    match error {
        AddressError::MissingDomain => "it has no domain",
        AddressError::MissingLocalPart | AddressError::LocalPart => "its local part is malformed",
        AddressError::Domain => "its domain is malformed",
        AddressError::TooLong => "it is too long",
        _ => "it is malformed",
    }
}
