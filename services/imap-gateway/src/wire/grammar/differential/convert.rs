//! imap-codec's commands as ours.

use bytes::Bytes;
use imap_codec::imap_types::command::{
    Command as Theirs, CommandBody as Body, FetchModifier, SelectParameter, StoreModifier,
};
use imap_codec::imap_types::core::{AString, NString};
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::fetch::{
    MacroOrMessageDataItemNames, MessageDataItemName, Part, Section as TheirSection,
};
use imap_codec::imap_types::flag::{Flag as TheirFlag, StoreResponse, StoreType};
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox};
use imap_codec::imap_types::search::SearchKey as TheirKey;
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet as TheirSet};
use imap_codec::imap_types::status::StatusDataItemName;

use crate::wire::command::{
    Command, CommandBody, Fetch, ListQuery, QResync, Select, Sensitive, StatusItem, Store, StoreAction, Tag,
};
use crate::wire::fetch::{FetchItem, Partial, Section, SectionItem, SectionLabel, SectionText};
use crate::wire::flag::Flag;
use crate::wire::mutf7;
use crate::wire::search::SearchKey;
use crate::wire::sequence::{SequenceNumber, SequenceRange, SequenceSet};

/// The command, or `None` if it holds what imap-codec lets through and we do not (a name in bad UTF-7), or what only
/// imap-codec knows.
pub(super) fn command(theirs: &Theirs<'_>) -> Option<Command> {
    Some(Command { tag: Tag::from_parsed(theirs.tag.as_ref()), body: body(&theirs.body)? })
}

fn body(theirs: &Body<'_>) -> Option<CommandBody> {
    Some(match theirs {
        Body::Capability => CommandBody::Capability,
        Body::Noop => CommandBody::Noop,
        Body::Logout => CommandBody::Logout,
        Body::StartTLS => CommandBody::StartTls,
        Body::Check => CommandBody::Check,
        Body::Close => CommandBody::Close,
        Body::Unselect => CommandBody::Unselect,
        Body::Idle => CommandBody::Idle,
        Body::Namespace => CommandBody::Namespace,
        Body::Expunge => CommandBody::Expunge { uids: None },
        Body::ExpungeUid { sequence_set } => CommandBody::Expunge { uids: Some(set(sequence_set)) },
        Body::Authenticate { mechanism, initial_response } => CommandBody::Authenticate {
            mechanism: mechanism.to_string().to_ascii_uppercase(),
            initial: initial_response
                .as_ref()
                .map(|initial| Sensitive::new(Bytes::copy_from_slice(initial.declassify()))),
        },
        Body::Login { username, password } => CommandBody::Login {
            user: bytes(username),
            password: Sensitive::new(bytes(password.declassify())),
        },
        Body::Id { parameters } => CommandBody::Id(parameters.as_ref().map(|fields| {
            let field = |(field, value): &(_, NString<'_>)| (bytes(field), value.0.as_ref().map(bytes));
            fields.iter().map(field).collect()
        })),
        Body::Enable { capabilities } => CommandBody::Enable(
            capabilities.as_ref().iter().map(|name| name.to_string().to_ascii_uppercase()).collect(),
        ),
        Body::Search { charset, criteria, uid } => CommandBody::Search {
            charset: charset.as_ref().map(|charset| charset.as_ref().to_ascii_uppercase()),
            key: all(criteria.as_ref()),
            uid: *uid,
        },
        Body::Fetch { sequence_set, macro_or_item_names, uid, modifiers } => {
            CommandBody::Fetch(fetch(sequence_set, macro_or_item_names, *uid, modifiers))
        }
        Body::Store { sequence_set, kind, response, flags, uid, modifiers } => CommandBody::Store(Store {
            set: set(sequence_set),
            unchanged_since: modifiers.iter().map(|StoreModifier::UnchangedSince(since)| *since).next(),
            action: match kind {
                StoreType::Replace => StoreAction::Replace,
                StoreType::Add => StoreAction::Add,
                StoreType::Remove => StoreAction::Remove,
            },
            silent: *response == StoreResponse::Silent,
            flags: flags.iter().map(flag).collect(),
            uid: *uid,
        }),
        other => return on_mailboxes(other),
    })
}

fn on_mailboxes(theirs: &Body<'_>) -> Option<CommandBody> {
    Some(match theirs {
        Body::Select { mailbox, parameters } => CommandBody::Select(select(mailbox, parameters, false)?),
        Body::Examine { mailbox, parameters } => CommandBody::Select(select(mailbox, parameters, true)?),
        Body::Create { mailbox } => CommandBody::Create { mailbox: name(mailbox)?, special_use: Vec::new() },
        Body::Delete { mailbox } => CommandBody::Delete { mailbox: name(mailbox)? },
        Body::Rename { from, to } => CommandBody::Rename { from: name(from)?, to: name(to)? },
        Body::Subscribe { mailbox } => CommandBody::Subscribe { mailbox: name(mailbox)? },
        Body::Unsubscribe { mailbox } => CommandBody::Unsubscribe { mailbox: name(mailbox)? },
        Body::List { reference, mailbox_wildcard } => CommandBody::List(query(reference, mailbox_wildcard)?),
        Body::Lsub { reference, mailbox_wildcard } => CommandBody::Lsub(query(reference, mailbox_wildcard)?),
        Body::Status { mailbox, item_names } => {
            CommandBody::Status { mailbox: name(mailbox)?, items: item_names.iter().map(status).collect() }
        }
        Body::Copy { sequence_set, mailbox, uid } => {
            CommandBody::Copy { set: set(sequence_set), mailbox: name(mailbox)?, uid: *uid }
        }
        Body::Move { sequence_set, mailbox, uid } => {
            CommandBody::Move { set: set(sequence_set), mailbox: name(mailbox)?, uid: *uid }
        }
        Body::GetQuota { root } => CommandBody::GetQuota { root: bytes(root) },
        Body::GetQuotaRoot { mailbox } => CommandBody::GetQuotaRoot { mailbox: name(mailbox)? },
        Body::SetQuota { root, quotas } => CommandBody::SetQuota {
            root: bytes(root),
            limits: quotas
                .iter()
                .map(|quota| (quota.resource.to_string().to_ascii_uppercase(), quota.limit))
                .collect(),
        },
        _ => return None,
    })
}

/// Mailbox, flags, date and message of an APPEND.
pub(super) type Appended = (String, Vec<Flag>, Option<String>, Vec<u8>);

/// What imap-codec reads of an APPEND, to compare with our prefix and the octets behind it.
pub(super) fn append(theirs: &Body<'_>) -> Option<Appended> {
    let Body::Append { mailbox, flags, date, message: LiteralOrLiteral8::Literal(message) } = theirs else {
        return None;
    };
    let date = date.as_ref().map(|date| date.as_ref().to_rfc3339());
    Some((name(mailbox)?, flags.iter().map(flag).collect(), date, message.as_ref().to_vec()))
}

fn bytes(text: &impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(text.as_ref())
}

fn name(mailbox: &Mailbox<'_>) -> Option<String> {
    match mailbox {
        Mailbox::Inbox => Some("INBOX".to_owned()),
        Mailbox::Other(other) => mutf7::decode(other.as_ref()),
    }
}

fn query(reference: &Mailbox<'_>, pattern: &ListMailbox<'_>) -> Option<ListQuery> {
    let pattern = match pattern {
        ListMailbox::Token(token) => mutf7::decode(token.as_ref())?,
        ListMailbox::String(string) => mutf7::decode(string.as_ref())?,
    };
    Some(ListQuery { reference: name(reference)?, pattern })
}

fn select(mailbox: &Mailbox<'_>, parameters: &[SelectParameter], read_only: bool) -> Option<Select> {
    let mut select = Select { mailbox: name(mailbox)?, read_only, condstore: false, qresync: None };
    for parameter in parameters {
        match parameter {
            SelectParameter::CondStore => select.condstore = true,
            SelectParameter::QResync { uid_validity, mod_sequence_value, known_uids, seq_match_data } => {
                select.qresync = Some(QResync {
                    uid_validity: *uid_validity,
                    mod_seq: mod_sequence_value.get(),
                    known_uids: known_uids.as_ref().map(set),
                    sequence_match: seq_match_data.as_ref().map(|(numbers, uids)| (set(numbers), set(uids))),
                });
            }
        }
    }
    Some(select)
}

fn status(item: &StatusDataItemName) -> StatusItem {
    match item {
        StatusDataItemName::Messages => StatusItem::Messages,
        StatusDataItemName::Recent => StatusItem::Recent,
        StatusDataItemName::UidNext => StatusItem::UidNext,
        StatusDataItemName::UidValidity => StatusItem::UidValidity,
        StatusDataItemName::Unseen => StatusItem::Unseen,
        StatusDataItemName::HighestModSeq => StatusItem::HighestModSeq,
        StatusDataItemName::Deleted => StatusItem::Deleted,
        StatusDataItemName::DeletedStorage => StatusItem::DeletedStorage,
    }
}

fn set(theirs: &TheirSet) -> SequenceSet {
    let number = |number: SeqOrUid| match number {
        SeqOrUid::Value(value) => SequenceNumber::Number(value),
        SeqOrUid::Asterisk => SequenceNumber::Largest,
    };
    let range = |sequence: &Sequence| match *sequence {
        Sequence::Single(only) => SequenceRange { first: number(only), last: number(only) },
        Sequence::Range(first, last) => SequenceRange { first: number(first), last: number(last) },
    };
    SequenceSet::new(theirs.0.as_ref().iter().map(range)).unwrap()
}

fn flag(theirs: &TheirFlag<'_>) -> Flag {
    match theirs {
        TheirFlag::Keyword(keyword) => Flag::Keyword(keyword.to_string()),
        system => Flag::from_system_name(&system.to_string()[1..]),
    }
}

fn fetch(
    numbers: &TheirSet,
    items: &MacroOrMessageDataItemNames<'_>,
    uid: bool,
    modifiers: &[FetchModifier],
) -> Fetch {
    let items = match items {
        MacroOrMessageDataItemNames::Macro(name) => name.expand().iter().map(item).collect(),
        MacroOrMessageDataItemNames::MessageDataItemNames(items) => items.iter().map(item).collect(),
    };
    Fetch {
        set: set(numbers),
        items,
        changed_since: modifiers.iter().find_map(|modifier| match modifier {
            FetchModifier::ChangedSince(since) => Some(since.get()),
            FetchModifier::Vanished => None,
        }),
        vanished: modifiers.contains(&FetchModifier::Vanished),
        uid,
    }
}

fn item(theirs: &MessageDataItemName<'_>) -> FetchItem {
    let whole = |label, text, peek| {
        FetchItem::Section(SectionItem {
            label,
            section: Section { part: Vec::new(), text },
            partial: None,
            peek,
        })
    };
    match theirs {
        MessageDataItemName::Uid => FetchItem::Uid,
        MessageDataItemName::Flags => FetchItem::Flags,
        MessageDataItemName::ModSeq => FetchItem::ModSeq,
        MessageDataItemName::InternalDate => FetchItem::InternalDate,
        MessageDataItemName::Rfc822Size => FetchItem::Rfc822Size,
        MessageDataItemName::Envelope => FetchItem::Envelope,
        MessageDataItemName::Body => FetchItem::Body,
        MessageDataItemName::BodyStructure => FetchItem::BodyStructure,
        MessageDataItemName::Rfc822 => whole(SectionLabel::Rfc822, SectionText::Whole, false),
        MessageDataItemName::Rfc822Header => whole(SectionLabel::Rfc822Header, SectionText::Header, true),
        MessageDataItemName::Rfc822Text => whole(SectionLabel::Rfc822Text, SectionText::Text, false),
        MessageDataItemName::BodyExt { section: theirs, partial, peek } => FetchItem::Section(SectionItem {
            label: SectionLabel::Body,
            section: section(theirs.as_ref()),
            partial: partial.map(|(offset, length)| Partial { offset, length }),
            peek: *peek,
        }),
        MessageDataItemName::Binary { .. } | MessageDataItemName::BinarySize { .. } => unreachable!(),
    }
}

fn section(theirs: Option<&TheirSection<'_>>) -> Section {
    let path = |part: Option<&Part>| part.map(|part| part.0.as_ref().to_vec()).unwrap_or_default();
    let names = |names: &[AString<'_>]| names.iter().map(bytes).collect();
    let (part, text) = match theirs {
        None => (None, SectionText::Whole),
        Some(TheirSection::Part(part)) => (Some(part), SectionText::Whole),
        Some(TheirSection::Header(part)) => (part.as_ref(), SectionText::Header),
        Some(TheirSection::HeaderFields(part, fields)) => {
            (part.as_ref(), SectionText::HeaderFields(names(fields.as_ref())))
        }
        Some(TheirSection::HeaderFieldsNot(part, fields)) => {
            (part.as_ref(), SectionText::HeaderFieldsNot(names(fields.as_ref())))
        }
        Some(TheirSection::Text(part)) => (part.as_ref(), SectionText::Text),
        Some(TheirSection::Mime(part)) => (Some(part), SectionText::Mime),
    };
    Section { part: path(part), text }
}

fn all(keys: &[TheirKey<'_>]) -> SearchKey {
    match keys {
        [only] => key(only),
        several => SearchKey::And(several.iter().map(key).collect()),
    }
}

fn key(theirs: &TheirKey<'_>) -> SearchKey {
    match theirs {
        TheirKey::And(keys) => all(keys.as_ref()),
        TheirKey::Not(inner) => SearchKey::Not(Box::new(key(inner))),
        TheirKey::Or(left, right) => SearchKey::Or(Box::new(key(left)), Box::new(key(right))),
        TheirKey::SequenceSet(numbers) => SearchKey::Sequence(set(numbers)),
        TheirKey::Uid(uids) => SearchKey::Uid(set(uids)),
        TheirKey::All => SearchKey::All,
        TheirKey::New => SearchKey::New,
        TheirKey::Answered => SearchKey::Has(Flag::Answered),
        TheirKey::Deleted => SearchKey::Has(Flag::Deleted),
        TheirKey::Draft => SearchKey::Has(Flag::Draft),
        TheirKey::Flagged => SearchKey::Has(Flag::Flagged),
        TheirKey::Recent => SearchKey::Has(Flag::Recent),
        TheirKey::Seen => SearchKey::Has(Flag::Seen),
        TheirKey::Unanswered => SearchKey::Lacks(Flag::Answered),
        TheirKey::Undeleted => SearchKey::Lacks(Flag::Deleted),
        TheirKey::Undraft => SearchKey::Lacks(Flag::Draft),
        TheirKey::Unflagged => SearchKey::Lacks(Flag::Flagged),
        TheirKey::Old => SearchKey::Lacks(Flag::Recent),
        TheirKey::Unseen => SearchKey::Lacks(Flag::Seen),
        TheirKey::Keyword(keyword) => SearchKey::Has(Flag::Keyword(keyword.to_string())),
        TheirKey::Unkeyword(keyword) => SearchKey::Lacks(Flag::Keyword(keyword.to_string())),
        TheirKey::Bcc(text) => SearchKey::Bcc(bytes(text)),
        TheirKey::Cc(text) => SearchKey::Cc(bytes(text)),
        TheirKey::From(text) => SearchKey::From(bytes(text)),
        TheirKey::Subject(text) => SearchKey::Subject(bytes(text)),
        TheirKey::To(text) => SearchKey::To(bytes(text)),
        TheirKey::Body(text) => SearchKey::Body(bytes(text)),
        TheirKey::Text(text) => SearchKey::Text(bytes(text)),
        TheirKey::Header(field, value) => SearchKey::Header { field: bytes(field), value: bytes(value) },
        TheirKey::Before(date) => SearchKey::Before(*date.as_ref()),
        TheirKey::On(date) => SearchKey::On(*date.as_ref()),
        TheirKey::Since(date) => SearchKey::Since(*date.as_ref()),
        TheirKey::SentBefore(date) => SearchKey::SentBefore(*date.as_ref()),
        TheirKey::SentOn(date) => SearchKey::SentOn(*date.as_ref()),
        TheirKey::SentSince(date) => SearchKey::SentSince(*date.as_ref()),
        TheirKey::Larger(size) => SearchKey::Larger(u64::from(*size)),
        TheirKey::Smaller(size) => SearchKey::Smaller(u64::from(*size)),
        TheirKey::ModSequence { modseq, .. } => SearchKey::ModSeq(*modseq),
    }
}
