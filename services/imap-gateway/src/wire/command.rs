//! The commands a client can send, as data (RFC 3501 section 6 and the extensions this server offers).
//!
//! Mailbox names are decoded from modified UTF-7; strings that may hold any bytes stay [`Bytes`]. A value of
//! these types has passed the grammar and the limits; what it *means* (state, rights, existence) is the
//! session's business.

use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset};

use super::fetch::FetchItem;
use super::flag::Flag;
use super::search::SearchKey;
use super::sequence::SequenceSet;

/// One complete command: what the client calls it and what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The tag the completion response must carry.
    pub tag: Tag,
    /// The request itself.
    pub body: CommandBody,
}

/// `tag = 1*<any ASTRING-CHAR except "+">` (RFC 3501): always printable ASCII.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// Takes text that the parser has checked against the grammar.
    pub(super) fn from_parsed(text: &str) -> Self {
        Self(text.into())
    }

    /// The tag as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", &self.0)
    }
}

/// Bytes that must not reach a log: passwords and SASL responses. `Debug` redacts them.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(Bytes);

impl Sensitive {
    /// Hides `bytes` from `Debug`.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Every command of RFC 3501 and of the offered extensions. `uid: true` is the `UID` form of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandBody {
    /// `CAPABILITY` (RFC 3501 6.1.1).
    Capability,
    /// `NOOP` (RFC 3501 6.1.2).
    Noop,
    /// `LOGOUT` (RFC 3501 6.1.3).
    Logout,
    /// `STARTTLS` (RFC 3501 6.2.1).
    StartTls,
    /// `AUTHENTICATE` (RFC 3501 6.2.2), with the initial response of SASL-IR (RFC 4959), base64 decoded.
    Authenticate {
        /// The mechanism's name in upper case.
        mechanism: String,
        /// The initial response; `=` on the wire is an empty one.
        initial: Option<Sensitive>,
    },
    /// `LOGIN` (RFC 3501 6.2.3).
    Login {
        /// The user name as sent.
        user: Bytes,
        /// The password as sent.
        password: Sensitive,
    },
    /// `SELECT` or `EXAMINE` (RFC 3501 6.3.1, 6.3.2; parameters of RFC 7162).
    Select(Select),
    /// `CREATE` (RFC 3501 6.3.3; `USE` of RFC 6154). A trailing hierarchy separator is kept.
    Create {
        /// The new mailbox.
        mailbox: String,
        /// Special uses asked for with `USE (...)`, without the backslash, as sent.
        special_use: Vec<String>,
    },
    /// `DELETE` (RFC 3501 6.3.4).
    Delete {
        /// The mailbox to remove.
        mailbox: String,
    },
    /// `RENAME` (RFC 3501 6.3.5).
    Rename {
        /// The existing name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `SUBSCRIBE` (RFC 3501 6.3.6).
    Subscribe {
        /// The mailbox to add to the subscriptions.
        mailbox: String,
    },
    /// `UNSUBSCRIBE` (RFC 3501 6.3.7).
    Unsubscribe {
        /// The mailbox to take off the subscriptions.
        mailbox: String,
    },
    /// `LIST` (RFC 3501 6.3.8).
    List(ListQuery),
    /// `LSUB` (RFC 3501 6.3.9).
    Lsub(ListQuery),
    /// `STATUS` (RFC 3501 6.3.10).
    Status {
        /// The mailbox asked about.
        mailbox: String,
        /// The items asked for, in the client's order, never empty.
        items: Vec<StatusItem>,
    },
    /// `APPEND` (RFC 3501 6.3.11). Its message is not here: it follows as a stream.
    Append(Append),
    /// `CHECK` (RFC 3501 6.4.1).
    Check,
    /// `CLOSE` (RFC 3501 6.4.2).
    Close,
    /// `EXPUNGE` (RFC 3501 6.4.3), or `UID EXPUNGE` (RFC 4315) when there is a set.
    Expunge {
        /// The UIDs that `UID EXPUNGE` is confined to.
        uids: Option<SequenceSet>,
    },
    /// `SEARCH` (RFC 3501 6.4.4).
    Search {
        /// The charset of the strings in `key`, upper case; none means US-ASCII (UTF-8 is accepted).
        charset: Option<String>,
        /// What to look for; several keys are one [`SearchKey::And`].
        key: SearchKey,
        /// Whether the answer is in UIDs.
        uid: bool,
    },
    /// `FETCH` (RFC 3501 6.4.5; modifiers of RFC 7162).
    Fetch(Fetch),
    /// `STORE` (RFC 3501 6.4.6; `UNCHANGEDSINCE` of RFC 7162).
    Store(Store),
    /// `COPY` (RFC 3501 6.4.7).
    Copy {
        /// The messages.
        set: SequenceSet,
        /// The destination.
        mailbox: String,
        /// Whether `set` is in UIDs.
        uid: bool,
    },
    /// `MOVE` (RFC 6851).
    Move {
        /// The messages.
        set: SequenceSet,
        /// The destination.
        mailbox: String,
        /// Whether `set` is in UIDs.
        uid: bool,
    },
    /// `IDLE` (RFC 2177). Its `DONE` comes as an event of its own.
    Idle,
    /// `NAMESPACE` (RFC 2342).
    Namespace,
    /// `ID` (RFC 2971): the client's fields, or `NIL`.
    Id(Option<Vec<(Bytes, Option<Bytes>)>>),
    /// `UNSELECT` (RFC 3691).
    Unselect,
    /// `ENABLE` (RFC 5161): capability names in upper case, never empty.
    Enable(Vec<String>),
    /// `GETQUOTA` (RFC 9208).
    GetQuota {
        /// The quota root.
        root: Bytes,
    },
    /// `GETQUOTAROOT` (RFC 9208).
    GetQuotaRoot {
        /// The mailbox whose roots are asked for.
        mailbox: String,
    },
    /// `SETQUOTA` (RFC 9208).
    SetQuota {
        /// The quota root.
        root: Bytes,
        /// Resource names (upper case) and their wanted limits.
        limits: Vec<(String, u64)>,
    },
}

/// `SELECT` and `EXAMINE` with the parameters of RFC 7162.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The mailbox to open.
    pub mailbox: String,
    /// `EXAMINE`: no change may come from this session.
    pub read_only: bool,
    /// The `CONDSTORE` parameter was given.
    pub condstore: bool,
    /// The `QRESYNC` parameter.
    pub qresync: Option<QResync>,
}

/// `QRESYNC (uidvalidity modseq [known-uids [seq-match-data]])` (RFC 7162 3.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QResync {
    /// The last UIDVALIDITY the client knows.
    pub uid_validity: NonZeroU32,
    /// The last MODSEQ the client knows; at least 1.
    pub mod_seq: u64,
    /// The UIDs the client knows; never contains `*`.
    pub known_uids: Option<SequenceSet>,
    /// Pairs of known sequence numbers and UIDs; never contain `*`.
    pub sequence_match: Option<(SequenceSet, SequenceSet)>,
}

/// The arguments of `LIST` and `LSUB`, decoded from modified UTF-7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// The reference name, often empty.
    pub reference: String,
    /// The mailbox name with the wildcards `*` and `%`; empty asks for the hierarchy separator.
    pub pattern: String,
}

/// `status-att` (RFC 3501; RFC 7162; RFC 9208).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT`
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `HIGHESTMODSEQ` (RFC 7162)
    HighestModSeq,
    /// `DELETED`: how many messages have `\Deleted` (RFC 9208 4.1.4)
    Deleted,
    /// `DELETED-STORAGE`: the bytes of the messages that have `\Deleted` (RFC 9208 4.1.4)
    DeletedStorage,
}

/// `APPEND` up to its literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The destination.
    pub mailbox: String,
    /// The flags to set.
    pub flags: Vec<Flag>,
    /// The internal date to give, if any.
    pub date: Option<DateTime<FixedOffset>>,
    /// The message that follows.
    pub literal: LiteralAnnounced,
}

/// `{size}` or `{size+}` as announced by the client, before its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteralAnnounced {
    /// How many bytes follow.
    pub size: u64,
    /// Whether the client waits for a `+`.
    pub mode: LiteralMode,
}

/// Who moves next after a literal was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralMode {
    /// `{n}`: the client waits for a continuation request, and sends nothing after a refusal.
    Synchronizing,
    /// `{n+}` (LITERAL+, RFC 7888): the bytes come at once, even if the command is refused.
    NonSynchronizing,
}

/// `FETCH` (RFC 3501 6.4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The messages.
    pub set: SequenceSet,
    /// The items in the client's order; macros are expanded; never empty.
    pub items: Vec<FetchItem>,
    /// `CHANGEDSINCE` (RFC 7162 3.1.4.1).
    pub changed_since: Option<u64>,
    /// `VANISHED` (RFC 7162 3.2.6); the parser grants it only to `UID FETCH` with `CHANGEDSINCE`.
    pub vanished: bool,
    /// Whether `set` is in UIDs (then UID is in every response, asked for or not).
    pub uid: bool,
}

/// `STORE` (RFC 3501 6.4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The messages.
    pub set: SequenceSet,
    /// `UNCHANGEDSINCE` (RFC 7162 3.1.3).
    pub unchanged_since: Option<u64>,
    /// What to do with `flags`.
    pub action: StoreAction,
    /// `.SILENT`: no untagged FETCH for what this command changed.
    pub silent: bool,
    /// The flags.
    pub flags: Vec<Flag>,
    /// Whether `set` is in UIDs.
    pub uid: bool,
}

/// `FLAGS`, `+FLAGS`, `-FLAGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAction {
    /// `FLAGS`: these and no others (`\Recent` untouched).
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

impl CommandBody {
    /// The command's name as the RFC writes it, for logs, metrics and completion texts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::StartTls => "STARTTLS",
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Login { .. } => "LOGIN",
            Self::Select(select) if select.read_only => "EXAMINE",
            Self::Select(_) => "SELECT",
            Self::Create { .. } => "CREATE",
            Self::Delete { .. } => "DELETE",
            Self::Rename { .. } => "RENAME",
            Self::Subscribe { .. } => "SUBSCRIBE",
            Self::Unsubscribe { .. } => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub(_) => "LSUB",
            Self::Status { .. } => "STATUS",
            Self::Append(_) => "APPEND",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Expunge { uids: None } => "EXPUNGE",
            Self::Expunge { uids: Some(_) } => "UID EXPUNGE",
            Self::Search { uid, .. } => form(*uid, "SEARCH", "UID SEARCH"),
            Self::Fetch(fetch) => form(fetch.uid, "FETCH", "UID FETCH"),
            Self::Store(store) => form(store.uid, "STORE", "UID STORE"),
            Self::Copy { uid, .. } => form(*uid, "COPY", "UID COPY"),
            Self::Move { uid, .. } => form(*uid, "MOVE", "UID MOVE"),
            Self::Idle => "IDLE",
            Self::Namespace => "NAMESPACE",
            Self::Id(_) => "ID",
            Self::Unselect => "UNSELECT",
            Self::Enable(_) => "ENABLE",
            Self::GetQuota { .. } => "GETQUOTA",
            Self::GetQuotaRoot { .. } => "GETQUOTAROOT",
            Self::SetQuota { .. } => "SETQUOTA",
        }
    }
}

fn form(uid: bool, plain: &'static str, with_uid: &'static str) -> &'static str {
    if uid { with_uid } else { plain }
}
