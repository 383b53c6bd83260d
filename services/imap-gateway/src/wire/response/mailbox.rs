//! Responses about mailboxes: LIST, LSUB, STATUS, QUOTA, QUOTAROOT.

use bytes::{BufMut, BytesMut};

use super::super::command::StatusItem;
use super::Writer;
use super::text::{astring, list, mailbox, number, string};

/// `mbx-list-flags` (RFC 3501, RFC 3348 CHILDREN, RFC 6154 SPECIAL-USE, RFC 5258).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListAttribute {
    /// `\Noinferiors`
    NoInferiors,
    /// `\Noselect`
    NoSelect,
    /// `\Marked`
    Marked,
    /// `\Unmarked`
    Unmarked,
    /// `\HasChildren`
    HasChildren,
    /// `\HasNoChildren`
    HasNoChildren,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl ListAttribute {
    /// The attribute on the wire, with its backslash.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoInferiors => "\\Noinferiors",
            Self::NoSelect => "\\Noselect",
            Self::Marked => "\\Marked",
            Self::Unmarked => "\\Unmarked",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }
}

/// `quota-resource` (RFC 9208): use and limit in the resource's own unit (`STORAGE`: 1024 octets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota<'a> {
    /// The resource's name.
    pub resource: &'a str,
    /// What is used.
    pub used: u64,
    /// What may be used.
    pub limit: u64,
}

impl StatusItem {
    /// The item's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
        }
    }
}

impl Writer<'_> {
    /// `LIST`; no delimiter is a flat name.
    pub fn list(&mut self, attributes: &[ListAttribute], delimiter: Option<char>, name: &str) {
        self.list_as("LIST", attributes, delimiter, name);
    }

    /// `LSUB`
    pub fn lsub(&mut self, attributes: &[ListAttribute], delimiter: Option<char>, name: &str) {
        self.list_as("LSUB", attributes, delimiter, name);
    }

    fn list_as(&mut self, response: &str, attributes: &[ListAttribute], delimiter: Option<char>, name: &str) {
        self.out.put_slice(b"* ");
        self.out.put_slice(response.as_bytes());
        self.out.put_u8(b' ');
        list(self.out, attributes, |out, attribute| out.put_slice(attribute.name().as_bytes()));
        self.out.put_u8(b' ');
        match delimiter {
            Some(delimiter) => string(self.out, delimiter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.out.put_slice(b"NIL"),
        }
        self.out.put_u8(b' ');
        mailbox(self.out, name);
        self.end();
    }

    /// `STATUS`
    pub fn status_of(&mut self, name: &str, items: &[(StatusItem, u64)]) {
        self.out.put_slice(b"* STATUS ");
        mailbox(self.out, name);
        self.out.put_u8(b' ');
        list(self.out, items, |out, (item, value)| {
            out.put_slice(item.name().as_bytes());
            out.put_u8(b' ');
            number(out, *value);
        });
        self.end();
    }

    /// `QUOTA` (RFC 9208)
    pub fn quota(&mut self, root: &[u8], quotas: &[Quota<'_>]) {
        self.out.put_slice(b"* QUOTA ");
        quota_root_name(self.out, root);
        self.out.put_u8(b' ');
        list(self.out, quotas, |out, quota| {
            out.put_slice(quota.resource.as_bytes());
            for value in [quota.used, quota.limit] {
                out.put_u8(b' ');
                number(out, value);
            }
        });
        self.end();
    }

    /// `QUOTAROOT` (RFC 9208)
    pub fn quota_root(&mut self, name: &str, roots: &[&[u8]]) {
        self.out.put_slice(b"* QUOTAROOT ");
        mailbox(self.out, name);
        for root in roots {
            self.out.put_u8(b' ');
            quota_root_name(self.out, root);
        }
        self.end();
    }
}

fn quota_root_name(out: &mut BytesMut, root: &[u8]) {
    astring(out, root);
}
