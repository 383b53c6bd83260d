//! Mailboxes on the wire.

use staffetta_proto::mailstore::v1 as proto;

use super::{Malformed, from_delta, from_name, from_runs, from_uid, required, to_delta, to_runs};
use crate::{
    Keyword, Listing, Mailbox, MailboxId, MailboxStatus, ModSeq, OpenMode, OpenRequest, Opened,
    ResyncRequest, SpecialUse, Uid, UidValidity,
};

pub(in crate::grpc) const fn to_special_use(special_use: Option<SpecialUse>) -> proto::SpecialUse {
    match special_use {
        None => proto::SpecialUse::Unspecified,
        Some(SpecialUse::Archive) => proto::SpecialUse::Archive,
        Some(SpecialUse::Drafts) => proto::SpecialUse::Drafts,
        Some(SpecialUse::Junk) => proto::SpecialUse::Junk,
        Some(SpecialUse::Sent) => proto::SpecialUse::Sent,
        Some(SpecialUse::Trash) => proto::SpecialUse::Trash,
    }
}

pub(in crate::grpc) fn from_special_use(special_use: i32) -> Result<Option<SpecialUse>, Malformed> {
    let special_use =
        proto::SpecialUse::try_from(special_use).map_err(|_| Malformed("unknown special use"))?;
    Ok(match special_use {
        proto::SpecialUse::Unspecified => None,
        proto::SpecialUse::Archive => Some(SpecialUse::Archive),
        proto::SpecialUse::Drafts => Some(SpecialUse::Drafts),
        proto::SpecialUse::Junk => Some(SpecialUse::Junk),
        proto::SpecialUse::Sent => Some(SpecialUse::Sent),
        proto::SpecialUse::Trash => Some(SpecialUse::Trash),
    })
}

pub(in crate::grpc) fn to_mailbox(mailbox: Mailbox) -> proto::Mailbox {
    proto::Mailbox {
        id: mailbox.id.0,
        name: mailbox.name.into(),
        selectable: mailbox.selectable,
        special_use: to_special_use(mailbox.special_use).into(),
    }
}

pub(in crate::grpc) fn from_mailbox(mailbox: proto::Mailbox) -> Result<Mailbox, Malformed> {
    Ok(Mailbox {
        id: MailboxId(mailbox.id),
        name: from_name(mailbox.name)?,
        selectable: mailbox.selectable,
        special_use: from_special_use(mailbox.special_use)?,
    })
}

pub(in crate::grpc) fn to_listing(listing: Listing) -> proto::ListMailboxesResponse {
    proto::ListMailboxesResponse {
        mailboxes: listing.mailboxes.into_iter().map(to_mailbox).collect(),
        subscriptions: listing.subscriptions.into_iter().map(Into::into).collect(),
    }
}

pub(in crate::grpc) fn from_listing(listing: proto::ListMailboxesResponse) -> Result<Listing, Malformed> {
    Ok(Listing {
        mailboxes: listing.mailboxes.into_iter().map(from_mailbox).collect::<Result<_, _>>()?,
        subscriptions: listing.subscriptions.into_iter().map(from_name).collect::<Result<_, _>>()?,
    })
}

pub(in crate::grpc) const fn to_status(status: &MailboxStatus) -> proto::MailboxStatus {
    proto::MailboxStatus {
        mailbox_id: status.mailbox.0,
        uid_validity: status.uid_validity.0,
        uid_next: status.uid_next.get(),
        highest_modseq: status.highest_modseq.0,
        messages: status.messages,
        unseen: status.unseen,
        recent: status.recent,
        bytes: status.bytes,
    }
}

pub(in crate::grpc) fn from_status(status: Option<proto::MailboxStatus>) -> Result<MailboxStatus, Malformed> {
    let status = required(status)?;
    Ok(MailboxStatus {
        mailbox: MailboxId(status.mailbox_id),
        uid_validity: UidValidity(status.uid_validity),
        uid_next: from_uid(status.uid_next)?,
        highest_modseq: ModSeq(status.highest_modseq),
        messages: status.messages,
        unseen: status.unseen,
        recent: status.recent,
        bytes: status.bytes,
    })
}

pub(in crate::grpc) fn to_open_request(request: &OpenRequest) -> proto::OpenMailboxRequest {
    let resync = request.resync.as_ref().map(|resync| proto::ResyncState {
        uid_validity: resync.uid_validity.0,
        modseq: resync.modseq.0,
        has_known_uids: resync.known_uids.is_some(),
        known_uids: resync.known_uids.as_ref().map(to_runs).unwrap_or_default(),
    });
    let read_only = request.mode == OpenMode::ReadOnly;
    proto::OpenMailboxRequest { name: request.name.as_str().to_owned(), read_only, resync }
}

pub(in crate::grpc) fn from_open_request(
    request: proto::OpenMailboxRequest,
) -> Result<OpenRequest, Malformed> {
    let resync = |resync: proto::ResyncState| {
        let known_uids = resync.has_known_uids.then(|| from_runs(&resync.known_uids)).transpose()?;
        let (uid_validity, modseq) = (UidValidity(resync.uid_validity), ModSeq(resync.modseq));
        Ok(ResyncRequest { uid_validity, modseq, known_uids })
    };
    Ok(OpenRequest {
        name: from_name(request.name)?,
        mode: if request.read_only { OpenMode::ReadOnly } else { OpenMode::ReadWrite },
        resync: request.resync.map(resync).transpose()?,
    })
}

pub(in crate::grpc) fn to_opened(opened: Opened) -> proto::OpenMailboxResponse {
    proto::OpenMailboxResponse {
        status: Some(to_status(&opened.status)),
        uids: to_runs(&opened.uids),
        recent: to_runs(&opened.recent),
        first_unseen: opened.first_unseen.map_or(0, Uid::get),
        keywords: opened.keywords.into_iter().map(Into::into).collect(),
        resync: opened.resync.map(to_delta),
    }
}

pub(in crate::grpc) fn from_opened(opened: proto::OpenMailboxResponse) -> Result<Opened, Malformed> {
    let keyword = |keyword| Keyword::try_from(keyword).map_err(|_| Malformed("not a keyword"));
    Ok(Opened {
        status: from_status(opened.status)?,
        uids: from_runs(&opened.uids)?,
        recent: from_runs(&opened.recent)?,
        first_unseen: Uid::new(opened.first_unseen),
        keywords: opened.keywords.into_iter().map(keyword).collect::<Result<_, _>>()?,
        resync: opened.resync.map(from_delta).transpose()?,
    })
}
