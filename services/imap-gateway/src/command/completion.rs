//! How a command ends.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use staffetta_mailstore_api::{MailstoreError, UidSet};

use crate::wire::command::Tag;
use crate::wire::response::{Code, Condition, Writer};

/// The tagged response of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// OK, NO or BAD.
    pub condition: Condition,
    detail: Detail,
    text: Cow<'static, str>,
}

/// A response code that owns what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Detail {
    None,
    Code(Code<'static>),
    Capability(Vec<&'static str>),
    CopyUid { uid_validity: u32, source: Vec<RangeInclusive<u32>>, destination: Vec<RangeInclusive<u32>> },
    Modified(Vec<RangeInclusive<u32>>),
}

impl Completion {
    /// `OK`
    pub fn done() -> Self {
        Self { condition: Condition::Ok, detail: Detail::None, text: "Done".into() }
    }

    /// `OK [code]`
    pub fn done_with(code: Code<'static>) -> Self {
        Self { detail: Detail::Code(code), ..Self::done() }
    }

    /// `OK [CAPABILITY ...]` after a login.
    pub fn logged_in(capabilities: Vec<&'static str>) -> Self {
        Self { condition: Condition::Ok, detail: Detail::Capability(capabilities), text: "Logged in".into() }
    }

    /// `OK [COPYUID ...]` (RFC 4315)
    pub fn copied(uid_validity: u32, source: &UidSet, destination: &UidSet) -> Self {
        let detail = Detail::CopyUid {
            uid_validity,
            source: wire_ranges(source),
            destination: wire_ranges(destination),
        };
        Self { detail, ..Self::done() }
    }

    /// `OK [MODIFIED ...]` (RFC 7162 3.1.3)
    pub fn conditional(modified: Vec<RangeInclusive<u32>>) -> Self {
        Self {
            condition: Condition::Ok,
            detail: Detail::Modified(modified),
            text: "Conditional STORE failed".into(),
        }
    }

    /// `NO`
    pub fn no(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::No, detail: Detail::None, text: text.into() }
    }

    /// `NO [code]`
    pub fn refused(code: Code<'static>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::No, detail: Detail::Code(code), text: text.into() }
    }

    /// `BAD`
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::Bad, detail: Detail::None, text: text.into() }
    }

    /// Another text for people.
    #[must_use]
    pub fn saying(self, text: &'static str) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The refusal or failure of mailstore in the words of RFC 5530. What is only for the log is logged here.
    pub fn from_error(error: &MailstoreError) -> Self {
        match error {
            MailstoreError::MailboxNotFound => Self::refused(Code::NonExistent, "No such mailbox"),
            MailstoreError::MailboxExists => Self::refused(Code::AlreadyExists, "Mailbox exists already"),
            MailstoreError::Cannot { message } => Self::refused(Code::Cannot, message.clone()),
            MailstoreError::Limit { message } => Self::refused(Code::Limit, message.clone()),
            MailstoreError::OverQuota => Self::refused(Code::OverQuota, "Mailbox is full"),
            MailstoreError::MessageVanished => {
                Self::refused(Code::ExpungeIssued, "Some of the messages no longer exist")
            }
            MailstoreError::MaildropInUse => {
                Self::refused(Code::InUse, "Mailbox is in use by a POP3 session")
            }
            MailstoreError::AccessDenied { .. }
            | MailstoreError::StaleEpoch
            | MailstoreError::LeaseLost
            | MailstoreError::Corrupt { .. }
            | MailstoreError::Unavailable { .. } => {
                tracing::warn!(%error, "mailstore is not available to this session");
                Self::refused(Code::Unavailable, "Temporarily unavailable, try again later")
            }
            MailstoreError::Refused { .. }
            | MailstoreError::Invalid { .. }
            | MailstoreError::Internal { .. } => {
                tracing::error!(%error, "unexpected answer of mailstore");
                Self::refused(Code::ServerBug, "Internal error")
            }
        }
    }

    /// As [`Completion::from_error`] where the missing mailbox is a target that the client could create (RFC 3501 6.3.11).
    pub fn for_target(error: &MailstoreError) -> Self {
        match error {
            MailstoreError::MailboxNotFound => Self::refused(Code::TryCreate, "No such mailbox"),
            other => Self::from_error(other),
        }
    }

    /// A mailbox name that cannot be one: such a mailbox does not exist.
    pub fn no_such_mailbox() -> Self {
        Self::refused(Code::NonExistent, "No such mailbox")
    }

    /// Writes the tagged response.
    pub fn write(&self, writer: &mut Writer<'_>, tag: &Tag) {
        let code = self.detail.code();
        writer.tagged(tag, self.condition, code.as_ref(), &self.text);
    }

    /// Writes it untagged: the code that MOVE gives before its EXPUNGE responses (RFC 6851 4.3).
    pub fn write_untagged(&self, writer: &mut Writer<'_>) {
        let code = self.detail.code();
        writer.untagged(self.condition, code.as_ref(), &self.text);
    }
}

impl Detail {
    fn code(&self) -> Option<Code<'_>> {
        match self {
            Self::None => None,
            Self::Code(code) => Some(code.clone()),
            Self::Capability(capabilities) => Some(Code::Capability(capabilities)),
            Self::CopyUid { uid_validity, source, destination } => {
                Some(Code::CopyUid { uid_validity: *uid_validity, source, destination })
            }
            Self::Modified(messages) => Some(Code::Modified(messages)),
        }
    }
}

/// A set as the wire's ranges.
pub fn wire_ranges(uids: &UidSet) -> Vec<RangeInclusive<u32>> {
    uids.runs().map(|run| run.start().get()..=run.end().get()).collect()
}
