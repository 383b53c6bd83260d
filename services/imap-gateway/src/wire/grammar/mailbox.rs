//! Commands about mailboxes: SELECT to STATUS, and quota.

use super::super::command::{CommandBody, ListQuery, QResync, Select, StatusItem};
use super::super::mutf7;
use super::cursor::{Cursor, Parsed, Stop, is_astring_char, malformed, owned};
use super::sequence::known_set;

/// `mailbox = "INBOX" / astring`: decoded; INBOX in any case becomes `INBOX`.
pub(super) fn mailbox(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let name = decoded(&cursor.astring("expected a mailbox name")?)?;
    Ok(if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name })
}

fn decoded(wire: &[u8]) -> Parsed<String> {
    mutf7::decode(wire).ok_or(Stop::Malformed("mailbox name is not valid modified UTF-7"))
}

/// `select = "SELECT" SP mailbox [select-params]` (RFC 3501, RFC 7162)
pub(super) fn select(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    open(cursor, false)
}

/// `examine = "EXAMINE" SP mailbox [select-params]`
pub(super) fn examine(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    open(cursor, true)
}

fn open(cursor: &mut Cursor<'_>, read_only: bool) -> Parsed<CommandBody> {
    let mut select = Select { mailbox: mailbox(cursor)?, read_only, condstore: false, qresync: None };
    if cursor.eat(b' ') {
        cursor.list(false, "expected a list of parameters", |cursor| select_param(cursor, &mut select))?;
    }
    Ok(CommandBody::Select(select))
}

/// `select-param = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value ... ")"` (RFC 7162)
fn select_param(cursor: &mut Cursor<'_>, select: &mut Select) -> Parsed<()> {
    match cursor.keyword().as_slice() {
        b"CONDSTORE" => select.condstore = true,
        b"QRESYNC" if select.qresync.is_none() => {
            cursor.space()?;
            select.qresync = Some(qresync(cursor)?);
        }
        b"QRESYNC" => return malformed("QRESYNC given twice"),
        _ => return malformed("unknown parameter"),
    }
    Ok(())
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"` (RFC 7162 7)
fn qresync(cursor: &mut Cursor<'_>) -> Parsed<QResync> {
    cursor.expect(b'(', "expected the QRESYNC arguments")?;
    let uid_validity = cursor.nz_number("expected a UIDVALIDITY")?;
    cursor.space()?;
    let mod_seq = cursor.number64("expected a modification sequence")?;
    if mod_seq == 0 {
        return malformed("a modification sequence is at least 1");
    }
    let mut qresync = QResync { uid_validity, mod_seq, known_uids: None, sequence_match: None };
    if cursor.sees(b" ") && !cursor.sees(b" (") {
        cursor.space()?;
        qresync.known_uids = Some(known_set(cursor)?);
    }
    if cursor.eat(b' ') {
        cursor.expect(b'(', "expected pairs of known numbers and UIDs")?;
        let numbers = known_set(cursor)?;
        cursor.space()?;
        qresync.sequence_match = Some((numbers, known_set(cursor)?));
        cursor.expect(b')', "expected ) after the known UIDs")?;
    }
    cursor.expect(b')', "expected ) after the QRESYNC arguments")?;
    Ok(qresync)
}

/// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 3501, RFC 6154)
pub(super) fn create(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let mailbox = mailbox(cursor)?;
    let mut special_use = Vec::new();
    if cursor.eat(b' ') {
        cursor.expect(b'(', "expected the CREATE parameters")?;
        if cursor.keyword().as_slice() != b"USE" {
            return malformed("unknown CREATE parameter");
        }
        cursor.space()?;
        special_use = cursor.list(true, "expected a list of special uses", |cursor| {
            cursor.expect(b'\\', "expected a special use")?;
            cursor.atom("expected a special use").map(str::to_owned)
        })?;
        cursor.expect(b')', "expected ) after the CREATE parameters")?;
    }
    Ok(CommandBody::Create { mailbox, special_use })
}

/// `delete = "DELETE" SP mailbox`
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::Delete { mailbox: mailbox(cursor)? })
}

/// `rename = "RENAME" SP mailbox SP mailbox`
pub(super) fn rename(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let from = mailbox(cursor)?;
    cursor.space()?;
    Ok(CommandBody::Rename { from, to: mailbox(cursor)? })
}

/// `subscribe = "SUBSCRIBE" SP mailbox`
pub(super) fn subscribe(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::Subscribe { mailbox: mailbox(cursor)? })
}

/// `unsubscribe = "UNSUBSCRIBE" SP mailbox`
pub(super) fn unsubscribe(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::Unsubscribe { mailbox: mailbox(cursor)? })
}

/// `list = "LIST" SP mailbox SP list-mailbox`
pub(super) fn list(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    list_query(cursor).map(CommandBody::List)
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    list_query(cursor).map(CommandBody::Lsub)
}

fn list_query(cursor: &mut Cursor<'_>) -> Parsed<ListQuery> {
    let reference = mailbox(cursor)?;
    cursor.space()?;
    Ok(ListQuery { reference, pattern: list_mailbox(cursor)? })
}

/// `list-mailbox = 1*list-char / string`, `list-char = ATOM-CHAR / list-wildcards / resp-specials`
///
/// The wildcards are no base64 characters, so the pattern decodes as a name does.
fn list_mailbox(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let text = "expected a mailbox pattern";
    if matches!(cursor.peek(), Some(b'"' | b'{')) {
        return decoded(&cursor.string(text)?);
    }
    match cursor.take_while(|byte| is_astring_char(byte) || matches!(byte, b'%' | b'*')) {
        [] => malformed(text),
        pattern => decoded(pattern),
    }
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let items = cursor.list(false, "expected a list of status items", status_att)?;
    Ok(CommandBody::Status { mailbox, items })
}

/// `status-att` (RFC 3501, RFC 7162, RFC 9208)
fn status_att(cursor: &mut Cursor<'_>) -> Parsed<StatusItem> {
    match cursor.keyword().as_slice() {
        b"MESSAGES" => Ok(StatusItem::Messages),
        b"RECENT" => Ok(StatusItem::Recent),
        b"UIDNEXT" => Ok(StatusItem::UidNext),
        b"UIDVALIDITY" => Ok(StatusItem::UidValidity),
        b"UNSEEN" => Ok(StatusItem::Unseen),
        b"HIGHESTMODSEQ" => Ok(StatusItem::HighestModSeq),
        b"DELETED" => Ok(StatusItem::Deleted),
        b"DELETED-STORAGE" => Ok(StatusItem::DeletedStorage),
        _ => malformed("unknown status item"),
    }
}

/// `getquota = "GETQUOTA" SP quota-root-name` (RFC 9208)
pub(super) fn get_quota(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::GetQuota { root: owned(cursor.astring("expected a quota root")?) })
}

/// `getquotaroot = "GETQUOTAROOT" SP mailbox` (RFC 9208)
pub(super) fn get_quota_root(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::GetQuotaRoot { mailbox: mailbox(cursor)? })
}

/// `setquota = "SETQUOTA" SP quota-root-name SP setquota-list` (RFC 9208)
pub(super) fn set_quota(cursor: &mut Cursor<'_>) -> Parsed<CommandBody> {
    let root = owned(cursor.astring("expected a quota root")?);
    cursor.space()?;
    let limits = cursor.list(true, "expected a list of resource limits", |cursor| {
        let resource = cursor.atom("expected a resource name")?.to_ascii_uppercase();
        cursor.space()?;
        Ok((resource, cursor.number64("expected a resource limit")?))
    })?;
    Ok(CommandBody::SetQuota { root, limits })
}
