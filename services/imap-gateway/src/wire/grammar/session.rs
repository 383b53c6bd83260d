//! Commands about the session itself: AUTHENTICATE, LOGIN, ID, ENABLE.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::super::command::{CommandBody, Sensitive};
use super::cursor::{Cursor, Parsed, Stop, malformed, owned};

/// `authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64)` (RFC 3501, RFC 4959)
pub(super) fn authenticate(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let mechanism = cursor.atom("expected a SASL mechanism")?.to_ascii_uppercase();
    let initial = if cursor.eat(b' ') { Some(initial_response(cursor)?) } else { None };
    Ok(CommandBody::Authenticate { mechanism, initial })
}

/// `base64 / "="` (RFC 4959)
fn initial_response(cursor: &mut Cursor<'_>) -> Parsed<Sensitive> {
    match cursor.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
        b"=" => Ok(Sensitive::new(Bytes::new())),
        [] => malformed("expected an initial response"),
        text => base64(text).ok_or(Stop::Malformed("invalid base64 in the initial response")),
    }
}

/// `base64 = *(4base64-char) [base64-terminal]`
pub(super) fn base64(text: &[u8]) -> Option<Sensitive> {
    STANDARD.decode(text).ok().map(|octets| Sensitive::new(Bytes::from(octets)))
}

/// `login = "LOGIN" SP userid SP password`
pub(super) fn login(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let user = owned(cursor.astring("expected a user name")?);
    cursor.space()?;
    let password = Sensitive::new(owned(cursor.astring("expected a password")?));
    Ok(CommandBody::Login { user, password })
}

/// `id = "ID" SP id-params-list`, `id-params-list = "(" *(string SP nstring) ")" / nil` (RFC 2971)
pub(super) fn id(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    if cursor.peek() != Some(b'(') {
        return match cursor.keyword().as_slice() {
            b"NIL" => Ok(CommandBody::Id(None)),
            _ => malformed("expected NIL or a list of ID fields"),
        };
    }
    let fields = cursor.list(true, "expected a list of ID fields", |cursor| {
        let field = owned(cursor.string("expected an ID field")?);
        cursor.space()?;
        Ok((field, cursor.nstring("expected an ID value")?))
    })?;
    Ok(CommandBody::Id(Some(fields)))
}

/// `enable = "ENABLE" 1*(SP capability)` (RFC 5161)
pub(super) fn enable(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let mut capabilities = Vec::new();
    loop {
        if capabilities.len() >= cursor.limits.list_items {
            return malformed("too many capabilities");
        }
        capabilities.push(cursor.atom("expected a capability")?.to_ascii_uppercase());
        if !cursor.eat(b' ') {
            return Ok(CommandBody::Enable(capabilities));
        }
    }
}
