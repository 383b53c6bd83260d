//! What one FETCH needs of every message (pure).

use staffetta_mailstore_api::{FetchItems, FetchedMessage};
use staffetta_message::skeleton::Skeleton;

use crate::section;
use crate::wire::command::Fetch;
use crate::wire::fetch::{FetchItem, SectionItem};
use crate::wire::response::FetchWriter;

/// The items of a FETCH, sorted by what they cost.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub uid: bool,
    pub flags: bool,
    pub modseq: bool,
    pub internal_date: bool,
    pub size: bool,
    pub envelope: bool,
    pub body: bool,
    pub body_structure: bool,
    pub sections: Vec<&'a SectionItem>,
    pub sets_seen: bool,
}

impl<'a> Plan<'a> {
    /// Sorts the items; read-only sessions never set `\Seen`.
    pub(super) fn new(fetch: &'a Fetch, read_only: bool) -> Self {
        let has = |item: &FetchItem| fetch.items.contains(item);
        let sections: Vec<&SectionItem> = fetch
            .items
            .iter()
            .filter_map(|item| if let FetchItem::Section(section) = item { Some(section) } else { None })
            .collect();
        Self {
            uid: fetch.uid || has(&FetchItem::Uid),
            flags: has(&FetchItem::Flags),
            // CHANGEDSINCE asks for MODSEQ too (RFC 7162 3.1.4.1).
            modseq: has(&FetchItem::ModSeq) || fetch.changed_since.is_some(),
            internal_date: has(&FetchItem::InternalDate),
            size: has(&FetchItem::Rfc822Size),
            envelope: has(&FetchItem::Envelope),
            body: has(&FetchItem::Body),
            body_structure: has(&FetchItem::BodyStructure),
            sets_seen: !read_only && sections.iter().any(|section| !section.peek),
            sections,
        }
    }

    /// What to ask of mailstore.
    pub(super) fn items(&self) -> FetchItems {
        let sections = || self.sections.iter().map(|item| &item.section);
        FetchItems {
            skeleton: self.has_structure() || sections().any(section::needs_skeleton),
            header: sections().any(section::is_message_header),
        }
    }

    /// Whether nothing but structure and sections is asked for.
    pub(super) fn is_metadata_empty(&self) -> bool {
        !(self.uid || self.flags || self.modseq || self.internal_date || self.size || self.has_structure())
    }

    /// Writes ENVELOPE, BODY and BODYSTRUCTURE. A skeleton that cannot be read is a defect of ours: the items are left out, and
    /// the log says which message.
    pub(super) fn structure(&self, fetch: &mut FetchWriter<'_>, message: &FetchedMessage) {
        if !self.has_structure() {
            return;
        }
        let Some(skeleton) = skeleton(message) else { return };
        if self.envelope {
            fetch.envelope(&skeleton);
        }
        if self.body {
            fetch.body(&skeleton.root);
        }
        if self.body_structure {
            fetch.body_structure(&skeleton.root);
        }
    }

    fn has_structure(&self) -> bool {
        self.envelope || self.body || self.body_structure
    }
}

/// The message's skeleton.
pub(super) fn skeleton(message: &FetchedMessage) -> Option<Skeleton> {
    let encoded = message.skeleton.as_deref()?;
    Skeleton::decode(encoded)
        .inspect_err(
            |error| tracing::error!(%error, uid = message.uid.get(), "stored skeleton cannot be read"),
        )
        .ok()
}
