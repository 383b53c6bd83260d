//! The command grammar: one function per ABNF rule, named as the rule.
//!
//! [`read`] walks over everything that has arrived of one command. Where a literal's octets are still to come
//! it stops and says so; the decoder fetches them and calls again from the start of the command. The number of
//! literals in a command is bounded, and so is the cost.

mod cursor;
mod date;
mod fetch;
mod mailbox;
mod search;
mod sequence;
mod session;
mod store;

use std::borrow::Cow;

use cursor::{Cursor, malformed};
pub(super) use cursor::{Parsed, Stop, is_astring_char};

use super::command::{Append, Command, CommandBody, LiteralAnnounced, Tag};
use super::limits::Limits;

/// What a command's octets amount to.
#[derive(Debug)]
pub(super) enum Reading {
    /// A whole command.
    Complete(Command),
    /// A literal must be collected.
    Literal(LiteralAnnounced),
    /// APPEND's message must be streamed.
    Append(Tag, Append),
    /// Not a command.
    Malformed {
        /// The tag, if that much could be read.
        tag: Option<Tag>,
        /// What is wrong, for the client.
        text: &'static str,
    },
}

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF`
///
/// `input` ends with a line end: the command's own, or that of a literal's announcement.
pub(super) fn read(input: &[u8], limits: &Limits) -> Reading {
    let mut cursor = Cursor::new(input, limits);
    let Some(tag) = cursor.tag() else {
        return Reading::Malformed { tag: None, text: "expected a tag" };
    };
    match command(&mut cursor) {
        Ok(body) => Reading::Complete(Command { tag, body }),
        Err(Stop::Literal(announced)) => Reading::Literal(announced),
        Err(Stop::Append(append)) => Reading::Append(tag, append),
        Err(Stop::Malformed(text)) => Reading::Malformed { tag: Some(tag), text },
    }
}

/// The tag of a line that is refused unread.
pub(super) fn tag_of(line: &[u8], limits: &Limits) -> Option<Tag> {
    let mut cursor = Cursor::new(line, limits);
    let tag = cursor.tag()?;
    (cursor.peek() == Some(b' ')).then_some(tag)
}

/// `authenticate`'s continuation: `base64 CRLF`, or `*` to cancel (RFC 3501 6.2.2).
///
/// # Errors
/// The text for a `BAD` answer if the line is neither.
pub fn authenticate_response(line: &[u8]) -> Result<AuthenticateResponse, &'static str> {
    if line == b"*" {
        return Ok(AuthenticateResponse::Cancel);
    }
    session::base64(line).map(AuthenticateResponse::Data).ok_or("invalid base64")
}

/// What a client answers to an AUTHENTICATE challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticateResponse {
    /// `*`: the client gives up.
    Cancel,
    /// The decoded response.
    Data(super::command::Sensitive),
}

/// Whether a line ends IDLE: `"DONE" CRLF` (RFC 2177).
pub fn is_idle_done(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"DONE")
}

fn command(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    cursor.space()?;
    let body = command_body(cursor)?;
    cursor.crlf("unexpected argument at the end of the command")?;
    if cursor.is_at_end() { Ok(body) } else { malformed("unexpected line end") }
}

fn command_body(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let name = cursor.keyword();
    match name.as_slice() {
        b"CAPABILITY" => Ok(CommandBody::Capability),
        b"NOOP" => Ok(CommandBody::Noop),
        b"LOGOUT" => Ok(CommandBody::Logout),
        b"STARTTLS" => Ok(CommandBody::StartTls),
        b"CHECK" => Ok(CommandBody::Check),
        b"CLOSE" => Ok(CommandBody::Close),
        b"UNSELECT" => Ok(CommandBody::Unselect),
        b"EXPUNGE" => Ok(CommandBody::Expunge { uids: None }),
        b"IDLE" => Ok(CommandBody::Idle),
        b"NAMESPACE" => Ok(CommandBody::Namespace),
        b"UID" => uid(cursor),
        name => with_arguments(name, cursor),
    }
}

fn with_arguments(name: &[u8], cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let rule: fn(&mut Cursor<'_>) -> Parsed<CommandBody> = match name {
        b"AUTHENTICATE" => session::authenticate,
        b"LOGIN" => session::login,
        b"ID" => session::id,
        b"ENABLE" => session::enable,
        b"SELECT" => mailbox::select,
        b"EXAMINE" => mailbox::examine,
        b"CREATE" => mailbox::create,
        b"DELETE" => mailbox::delete,
        b"RENAME" => mailbox::rename,
        b"SUBSCRIBE" => mailbox::subscribe,
        b"UNSUBSCRIBE" => mailbox::unsubscribe,
        b"LIST" => mailbox::list,
        b"LSUB" => mailbox::lsub,
        b"STATUS" => mailbox::status,
        b"GETQUOTA" => mailbox::get_quota,
        b"GETQUOTAROOT" => mailbox::get_quota_root,
        b"SETQUOTA" => mailbox::set_quota,
        b"APPEND" => store::append,
        b"STORE" => |cursor| store::store(cursor, false),
        b"COPY" => |cursor| store::copy(cursor, false),
        b"MOVE" => |cursor| store::relocate(cursor, false),
        b"FETCH" => |cursor| fetch::fetch(cursor, false),
        b"SEARCH" => |cursor| search::search(cursor, false),
        _ => return malformed("unknown command"),
    };
    cursor.space()?;
    rule(cursor)
}

/// `uid = "UID" SP (copy / fetch / search / store)`, `"UID" SP "EXPUNGE" SP sequence-set` (RFC 4315),
/// `"UID" SP move` (RFC 6851)
fn uid(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    cursor.space()?;
    let rule: fn(&mut Cursor<'_>) -> Parsed<CommandBody> = match cursor.keyword().as_slice() {
        b"COPY" => |cursor| store::copy(cursor, true),
        b"FETCH" => |cursor| fetch::fetch(cursor, true),
        b"SEARCH" => |cursor| search::search(cursor, true),
        b"STORE" => |cursor| store::store(cursor, true),
        b"MOVE" => |cursor| store::relocate(cursor, true),
        b"EXPUNGE" => store::uid_expunge,
        _ => return malformed("unknown UID command"),
    };
    cursor.space()?;
    rule(cursor)
}

/// Text that must be UTF-8.
fn utf8(bytes: Cow<'_, [u8]>, text: &'static str) -> Parsed<String> {
    String::from_utf8(bytes.into_owned()).or_else(|_| malformed(text))
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
