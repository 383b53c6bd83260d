//! SEARCH.

use super::super::command::CommandBody;
use super::super::flag::Flag;
use super::super::search::SearchKey;
use super::cursor::{Cursor, Parsed, malformed, owned};
use super::date::date;
use super::sequence::sequence_set;
use super::utf8;

/// What is left of the limits while the tree grows.
struct Budget {
    depth: usize,
    keys: usize,
}

/// `search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)`
pub(super) fn search(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<CommandBody> {
    let mut budget = Budget { depth: cursor.limits.depth, keys: cursor.limits.search_keys };
    let mut named = None;
    let mut keys = Vec::new();
    loop {
        let name = cursor.letters();
        if keys.is_empty() && named.is_none() && name.as_slice() == b"CHARSET" {
            cursor.space()?;
            named = Some(charset(cursor)?);
            cursor.space()?;
            continue;
        }
        keys.push(search_key_named(cursor, &name, &mut budget)?);
        if !cursor.eat(b' ') {
            return Ok(CommandBody::Search { charset: named, key: all_of(keys), uid });
        }
    }
}

/// `charset = atom / quoted`, upper case.
fn charset(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let name = utf8(cursor.astring("expected a charset")?, "expected a charset")?;
    Ok(name.to_ascii_uppercase())
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        last => {
            keys.extend(last);
            SearchKey::And(keys)
        }
    }
}

/// `search-key`
fn search_key(cursor: &mut Cursor<'_>, budget: &mut Budget) -> Parsed<SearchKey> {
    let name = cursor.letters();
    search_key_named(cursor, &name, budget)
}

fn search_key_named(cursor: &mut Cursor<'_>, name: &[u8], budget: &mut Budget) -> Parsed<SearchKey> {
    budget.keys = match budget.keys.checked_sub(1) {
        Some(left) => left,
        None => return malformed("too many search keys"),
    };
    if name.is_empty() {
        return match cursor.peek() {
            Some(b'(') => nested(budget, |budget| {
                cursor.list(false, "expected search keys", |cursor| search_key(cursor, budget)).map(all_of)
            }),
            Some(b'*' | b'0'..=b'9') => sequence_set(cursor).map(SearchKey::Sequence),
            _ => malformed("expected a search key"),
        };
    }
    if let Some(key) = plain_key(name) {
        return Ok(key);
    }
    cursor.space()?;
    match name {
        b"NOT" => nested(budget, |budget| Ok(SearchKey::Not(Box::new(search_key(cursor, budget)?)))),
        b"OR" => nested(budget, |budget| {
            let left = Box::new(search_key(cursor, budget)?);
            cursor.space()?;
            Ok(SearchKey::Or(left, Box::new(search_key(cursor, budget)?)))
        }),
        _ => key_with_argument(cursor, name),
    }
}

fn nested(budget: &mut Budget, inside: impl FnOnce(&mut Budget) -> Parsed<SearchKey>) -> Parsed<SearchKey> {
    budget.depth = match budget.depth.checked_sub(1) {
        Some(left) => left,
        None => return malformed("search keys nested too deep"),
    };
    let key = inside(budget)?;
    budget.depth += 1;
    Ok(key)
}

/// The keys without an argument.
fn plain_key(name: &[u8]) -> Option<SearchKey> {
    Some(match name {
        b"ALL" => SearchKey::All,
        b"NEW" => SearchKey::New,
        b"ANSWERED" => SearchKey::Has(Flag::Answered),
        b"DELETED" => SearchKey::Has(Flag::Deleted),
        b"DRAFT" => SearchKey::Has(Flag::Draft),
        b"FLAGGED" => SearchKey::Has(Flag::Flagged),
        b"RECENT" => SearchKey::Has(Flag::Recent),
        b"SEEN" => SearchKey::Has(Flag::Seen),
        b"UNANSWERED" => SearchKey::Lacks(Flag::Answered),
        b"UNDELETED" => SearchKey::Lacks(Flag::Deleted),
        b"UNDRAFT" => SearchKey::Lacks(Flag::Draft),
        b"UNFLAGGED" => SearchKey::Lacks(Flag::Flagged),
        b"OLD" => SearchKey::Lacks(Flag::Recent),
        b"UNSEEN" => SearchKey::Lacks(Flag::Seen),
        _ => return None,
    })
}

/// The keys with an argument, behind its space.
fn key_with_argument(cursor: &mut Cursor<'_>, name: &[u8]) -> Parsed<SearchKey> {
    match name {
        b"KEYWORD" => keyword(cursor).map(SearchKey::Has),
        b"UNKEYWORD" => keyword(cursor).map(SearchKey::Lacks),
        b"BCC" => text(cursor).map(SearchKey::Bcc),
        b"CC" => text(cursor).map(SearchKey::Cc),
        b"FROM" => text(cursor).map(SearchKey::From),
        b"SUBJECT" => text(cursor).map(SearchKey::Subject),
        b"TO" => text(cursor).map(SearchKey::To),
        b"BODY" => text(cursor).map(SearchKey::Body),
        b"TEXT" => text(cursor).map(SearchKey::Text),
        b"HEADER" => {
            let field = owned(cursor.astring("expected a header name")?);
            cursor.space()?;
            Ok(SearchKey::Header { field, value: text(cursor)? })
        }
        b"BEFORE" => date(cursor).map(SearchKey::Before),
        b"ON" => date(cursor).map(SearchKey::On),
        b"SINCE" => date(cursor).map(SearchKey::Since),
        b"SENTBEFORE" => date(cursor).map(SearchKey::SentBefore),
        b"SENTON" => date(cursor).map(SearchKey::SentOn),
        b"SENTSINCE" => date(cursor).map(SearchKey::SentSince),
        b"LARGER" => cursor.number64("expected a size").map(SearchKey::Larger),
        b"SMALLER" => cursor.number64("expected a size").map(SearchKey::Smaller),
        b"UID" => sequence_set(cursor).map(SearchKey::Uid),
        b"MODSEQ" => search_mod_sequence(cursor),
        _ => malformed("unknown search key"),
    }
}

fn text(cursor: &mut Cursor<'_>) -> Parsed<bytes::Bytes> {
    cursor.astring("expected a search text").map(owned)
}

/// `flag-keyword = atom`
fn keyword(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    cursor.atom("expected a keyword").map(|keyword| Flag::Keyword(keyword.to_owned()))
}

/// `search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162)
fn search_mod_sequence(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    if cursor.peek() == Some(b'"') {
        if !cursor.string("expected an entry name")?.starts_with(b"/flags/") {
            return malformed("expected an entry name like \"/flags/\\\\seen\"");
        }
        cursor.space()?;
        if !matches!(cursor.keyword().as_slice(), b"PRIV" | b"SHARED" | b"ALL") {
            return malformed("expected priv, shared or all");
        }
        cursor.space()?;
    }
    cursor.number64("expected a modification sequence").map(SearchKey::ModSeq)
}
