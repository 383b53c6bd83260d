//! FETCH.

use bytes::Bytes;
use std::num::NonZeroU32;

use super::super::command::{CommandBody, Fetch};
use super::super::fetch::{FetchItem, Partial, Section, SectionItem, SectionLabel, SectionText};
use super::cursor::{Cursor, Parsed, malformed, owned};
use super::sequence::sequence_set;

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att)
/// ")") [fetch-modifiers]` (RFC 3501, RFC 4466)
pub(super) fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<CommandBody> {
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let items = fetch_items(cursor)?;
    let mut fetch = Fetch { set, items, changed_since: None, vanished: false, uid };
    if cursor.eat(b' ') {
        cursor.list(false, "expected the FETCH modifiers", |cursor| fetch_modifier(cursor, &mut fetch))?;
    }
    if fetch.vanished && !(uid && fetch.changed_since.is_some()) {
        return malformed("VANISHED needs UID FETCH and CHANGEDSINCE");
    }
    Ok(CommandBody::Fetch(fetch))
}

/// `fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"` (RFC 7162)
fn fetch_modifier(cursor: &mut Cursor<'_>, fetch: &mut Fetch) -> Parsed<()> {
    match cursor.keyword().as_slice() {
        b"CHANGEDSINCE" if fetch.changed_since.is_none() => {
            cursor.space()?;
            fetch.changed_since = Some(cursor.number64("expected a modification sequence")?);
            Ok(())
        }
        b"VANISHED" if !fetch.vanished => {
            fetch.vanished = true;
            Ok(())
        }
        _ => malformed("unknown FETCH modifier"),
    }
}

fn fetch_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if cursor.peek() == Some(b'(') {
        return cursor.list(false, "expected fetch items", |cursor| {
            let name = cursor.keyword();
            fetch_att(cursor, &name)
        });
    }
    match cursor.keyword().as_slice() {
        b"ALL" => Ok(vec![Flags, InternalDate, Rfc822Size, Envelope]),
        b"FAST" => Ok(vec![Flags, InternalDate, Rfc822Size]),
        b"FULL" => Ok(vec![Flags, InternalDate, Rfc822Size, Envelope, Body]),
        name => Ok(vec![fetch_att(cursor, name)?]),
    }
}

/// `fetch-att` whose name has been read (RFC 3501, RFC 7162)
fn fetch_att(cursor: &mut Cursor<'_>, name: &[u8]) -> Parsed<FetchItem> {
    match name {
        b"UID" => Ok(FetchItem::Uid),
        b"FLAGS" => Ok(FetchItem::Flags),
        b"MODSEQ" => Ok(FetchItem::ModSeq),
        b"INTERNALDATE" => Ok(FetchItem::InternalDate),
        b"RFC822.SIZE" => Ok(FetchItem::Rfc822Size),
        b"ENVELOPE" => Ok(FetchItem::Envelope),
        b"BODYSTRUCTURE" => Ok(FetchItem::BodyStructure),
        b"RFC822" => Ok(rfc822(SectionLabel::Rfc822, SectionText::Whole, false)),
        b"RFC822.HEADER" => Ok(rfc822(SectionLabel::Rfc822Header, SectionText::Header, true)),
        b"RFC822.TEXT" => Ok(rfc822(SectionLabel::Rfc822Text, SectionText::Text, false)),
        b"BODY" if cursor.peek() == Some(b'[') => body(cursor, false),
        b"BODY" => Ok(FetchItem::Body),
        b"BODY.PEEK" => body(cursor, true),
        _ => malformed("unknown fetch item"),
    }
}

fn rfc822(label: SectionLabel, text: SectionText, peek: bool) -> FetchItem {
    FetchItem::Section(SectionItem {
        label,
        section: Section { part: Vec::new(), text },
        partial: None,
        peek,
    })
}

/// `"BODY" [".PEEK"] section ["<" number "." nz-number ">"]`
fn body(cursor: &mut Cursor<'_>, peek: bool) -> Parsed<FetchItem> {
    let section = section(cursor)?;
    let partial = if cursor.eat(b'<') { Some(partial(cursor)?) } else { None };
    Ok(FetchItem::Section(SectionItem { label: SectionLabel::Body, section, partial, peek }))
}

/// `number "." nz-number ">"`
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Partial> {
    let offset = cursor.number("expected the offset of a partial fetch")?;
    cursor.expect(b'.', "expected . in a partial fetch")?;
    let length = cursor.nz_number("expected the length of a partial fetch")?;
    cursor.expect(b'>', "expected > after a partial fetch")?;
    Ok(Partial { offset, length })
}

/// `section = "[" [section-spec] "]"`, `section-spec = section-msgtext / (section-part ["." section-text])`
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[', "expected [")?;
    let part = section_part(cursor)?;
    let text = match cursor.peek() {
        Some(b']') => SectionText::Whole,
        _ => section_text(cursor, !part.is_empty())?,
    };
    cursor.expect(b']', "expected ] after a section")?;
    Ok(Section { part, text })
}

/// `section-part = nz-number *("." nz-number)`, and the dot before a `section-text`
fn section_part(cursor: &mut Cursor<'_>) -> Parsed<Vec<NonZeroU32>> {
    let mut part = Vec::new();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        if part.len() >= cursor.limits.depth {
            return malformed("section too deep");
        }
        part.push(cursor.nz_number("expected a part number")?);
        if !cursor.eat(b'.') {
            if cursor.peek() != Some(b']') {
                return malformed("expected . or ] after a part number");
            }
            return Ok(part);
        }
        if cursor.peek() == Some(b']') {
            return malformed("expected a part number or a section text after .");
        }
    }
    Ok(part)
}

/// `section-text = section-msgtext / "MIME"`, `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP
/// header-list / "TEXT"`
fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Parsed<SectionText> {
    match cursor.keyword().as_slice() {
        b"HEADER" => Ok(SectionText::Header),
        b"HEADER.FIELDS" => header_list(cursor).map(SectionText::HeaderFields),
        b"HEADER.FIELDS.NOT" => header_list(cursor).map(SectionText::HeaderFieldsNot),
        b"TEXT" => Ok(SectionText::Text),
        b"MIME" if of_part => Ok(SectionText::Mime),
        _ => malformed("unknown section"),
    }
}

/// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`
fn header_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Bytes>> {
    cursor.space()?;
    cursor.list(false, "expected a list of header names", |cursor| {
        cursor.astring("expected a header name").map(owned)
    })
}
