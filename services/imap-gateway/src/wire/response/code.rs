//! Response codes (RFC 3501 7.1, RFC 5530 and the offered extensions).

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

use super::text::{astring, list, number, set, spaced};

/// `resp-text-code`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code<'a> {
    /// `ALERT`: the user must see the text.
    Alert,
    /// `ALREADYEXISTS` (RFC 5530)
    AlreadyExists,
    /// `APPENDUID` (RFC 4315)
    AppendUid {
        /// The mailbox's UIDVALIDITY.
        uid_validity: u32,
        /// The new message's UID.
        uid: u32,
    },
    /// `AUTHENTICATIONFAILED` (RFC 5530)
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED` (RFC 5530)
    AuthorizationFailed,
    /// `BADCHARSET` with the charsets that work.
    BadCharset(&'a [&'a str]),
    /// `CANNOT` (RFC 5530): never possible, with this server.
    Cannot,
    /// `CAPABILITY`
    Capability(&'a [&'a str]),
    /// `CLIENTBUG` (RFC 5530)
    ClientBug,
    /// `CLOSED` (RFC 7162): the mailbox that was selected until here.
    Closed,
    /// `CONTACTADMIN` (RFC 5530)
    ContactAdmin,
    /// `COPYUID` (RFC 4315): the n-th UID of one set became the n-th of the other.
    CopyUid {
        /// The destination's UIDVALIDITY.
        uid_validity: u32,
        /// The UIDs in the source.
        source: &'a [RangeInclusive<u32>],
        /// The UIDs in the destination.
        destination: &'a [RangeInclusive<u32>],
    },
    /// `CORRUPTION` (RFC 5530)
    Corruption,
    /// `EXPIRED` (RFC 5530): the credentials are too old.
    Expired,
    /// `EXPUNGEISSUED` (RFC 5530): another session removed some of the messages.
    ExpungeIssued,
    /// `HASCHILDREN` (RFC 9051)
    HasChildren,
    /// `HIGHESTMODSEQ` (RFC 7162)
    HighestModSeq(u64),
    /// `INUSE` (RFC 5530)
    InUse,
    /// `LIMIT` (RFC 5530)
    Limit,
    /// `MODIFIED` (RFC 7162): what UNCHANGEDSINCE held back, in the command's kind of numbers.
    Modified(&'a [RangeInclusive<u32>]),
    /// `NOMODSEQ` (RFC 7162)
    NoModSeq,
    /// `NONEXISTENT` (RFC 5530)
    NonExistent,
    /// `NOPERM` (RFC 5530)
    NoPerm,
    /// `OVERQUOTA` (RFC 5530, RFC 9208)
    OverQuota,
    /// `PARSE`
    Parse,
    /// `PERMANENTFLAGS`: names as on the wire (`\Seen`, `$Junk`, and `\*` if new keywords may be made).
    PermanentFlags(&'a [&'a str]),
    /// `PRIVACYREQUIRED` (RFC 5530): not without TLS.
    PrivacyRequired,
    /// `READ-ONLY`
    ReadOnly,
    /// `READ-WRITE`
    ReadWrite,
    /// `SERVERBUG` (RFC 5530)
    ServerBug,
    /// `TOOBIG` (RFC 4469): the message is larger than the server takes.
    TooBig,
    /// `TRYCREATE`
    TryCreate,
    /// `UIDNEXT`
    UidNext(u32),
    /// `UIDNOTSTICKY` (RFC 4315)
    UidNotSticky,
    /// `UIDVALIDITY`
    UidValidity(u32),
    /// `UNAVAILABLE` (RFC 5530): a part of the server is away, for now.
    Unavailable,
    /// `UNSEEN`: the first message without `\Seen`, as a message number.
    Unseen(u32),
    /// `USEATTR` (RFC 6154): the special use cannot be given.
    UseAttr,
}

impl Code<'_> {
    /// Writes the code with its brackets.
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(b'[');
        out.put_slice(self.name().as_bytes());
        self.write_argument(out);
        out.put_u8(b']');
    }

    fn write_argument(&self, out: &mut BytesMut) {
        match *self {
            Self::AppendUid { uid_validity, uid } => numbers(out, &[uid_validity, uid]),
            Self::CopyUid { uid_validity, source, destination } => {
                numbers(out, &[uid_validity]);
                out.put_u8(b' ');
                set(out, source);
                out.put_u8(b' ');
                set(out, destination);
            }
            Self::BadCharset([]) => {}
            Self::BadCharset(charsets) => {
                out.put_u8(b' ');
                list(out, charsets, |out, charset| astring(out, charset.as_bytes()));
            }
            Self::Capability(capabilities) => {
                out.put_u8(b' ');
                spaced(out, capabilities, |out, capability| out.put_slice(capability.as_bytes()));
            }
            Self::HighestModSeq(mod_seq) => {
                out.put_u8(b' ');
                number(out, mod_seq);
            }
            Self::Modified(messages) => {
                out.put_u8(b' ');
                set(out, messages);
            }
            Self::PermanentFlags(flags) => {
                out.put_u8(b' ');
                list(out, flags, |out, flag| out.put_slice(flag.as_bytes()));
            }
            Self::UidNext(value) | Self::UidValidity(value) | Self::Unseen(value) => numbers(out, &[value]),
            _ => {}
        }
    }

    /// The code's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid { .. } => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid { .. } => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }
}

fn numbers(out: &mut BytesMut, values: &[u32]) {
    for &value in values {
        out.put_u8(b' ');
        number(out, value);
    }
}
