//! Commands that write messages: APPEND, STORE, COPY, MOVE, UID EXPUNGE.

use super::super::command::{Append, CommandBody, Store, StoreAction};
use super::super::flag::Flag;
use super::cursor::{Cursor, Parsed, Stop, malformed};
use super::date::date_time;
use super::mailbox::mailbox;
use super::sequence::sequence_set;

/// `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`: stops at the literal.
pub(super) fn append(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = flag_list(cursor)?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(date_time(cursor)?);
        cursor.space()?;
    }
    if cursor.peek() == Some(b'~') {
        return malformed("literal8 is not supported");
    }
    let literal = cursor.literal_announcement()?;
    if cursor.is_at_end() {
        return Err(Stop::Append(Append { mailbox, flags, date, literal }));
    }
    malformed("expected the message")
}

/// `store = "STORE" SP sequence-set [SP store-modifiers] SP store-att-flags` (RFC 3501, RFC 7162)
pub(super) fn store(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<CommandBody> {
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.peek() == Some(b'(') {
        cursor.list(false, "expected the STORE modifiers", |cursor| {
            if unchanged_since.is_some() || cursor.keyword().as_slice() != b"UNCHANGEDSINCE" {
                return malformed("unknown STORE modifier");
            }
            cursor.space()?;
            unchanged_since = Some(cursor.number64("expected a modification sequence")?);
            Ok(())
        })?;
        cursor.space()?;
    }
    let (action, silent) = store_action(cursor)?;
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { flag_list(cursor)? } else { bare_flags(cursor)? };
    Ok(CommandBody::Store(Store { set, unchanged_since, action, silent, flags, uid }))
}

/// `(["+" / "-"] "FLAGS" [".SILENT"])`
fn store_action(cursor: &mut Cursor<'_>) -> Parsed<(StoreAction, bool)> {
    let action = if cursor.eat(b'+') {
        StoreAction::Add
    } else if cursor.eat(b'-') {
        StoreAction::Remove
    } else {
        StoreAction::Replace
    };
    match cursor.keyword().as_slice() {
        b"FLAGS" => Ok((action, false)),
        b"FLAGS.SILENT" => Ok((action, true)),
        _ => malformed("expected FLAGS or FLAGS.SILENT"),
    }
}

/// `flag-list = "(" [flag *(SP flag)] ")"`
fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    cursor.list(true, "expected a list of flags", flag)
}

/// `flag *(SP flag)`
fn bare_flags(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    let mut flags = vec![flag(cursor)?];
    while cursor.eat(b' ') {
        if flags.len() >= cursor.limits.list_items {
            return malformed("too many flags");
        }
        flags.push(flag(cursor)?);
    }
    Ok(flags)
}

/// `flag = "\Answered" / ... / flag-keyword / flag-extension`
fn flag(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    if cursor.eat(b'\\') {
        return cursor.atom("expected a flag").map(Flag::from_system_name);
    }
    cursor.atom("expected a flag").map(|keyword| Flag::Keyword(keyword.to_owned()))
}

/// `copy = "COPY" SP sequence-set SP mailbox`
pub(super) fn copy(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<CommandBody> {
    let set = sequence_set(cursor)?;
    cursor.space()?;
    Ok(CommandBody::Copy { set, mailbox: mailbox(cursor)?, uid })
}

/// `move = "MOVE" SP sequence-set SP mailbox` (RFC 6851)
pub(super) fn relocate(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<CommandBody> {
    let set = sequence_set(cursor)?;
    cursor.space()?;
    Ok(CommandBody::Move { set, mailbox: mailbox(cursor)?, uid })
}

/// `uid-expunge = "UID" SP "EXPUNGE" SP sequence-set` (RFC 4315)
pub(super) fn uid_expunge(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::Expunge { uids: Some(sequence_set(cursor)?) })
}
