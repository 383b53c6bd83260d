//! Messages, flags and deltas on the wire.

use staffetta_proto::mailstore::v1 as proto;

use super::{Malformed, from_runs, from_time, from_uid, from_uuid, required, to_runs, to_uuid};
use crate::{
    Copied, FetchItems, FetchRequest, FetchedMessage, FlagRun, Flags, FlagsOperation, IdempotencyKey,
    Keyword, MailboxId, ModSeq, StoreOutcome, StoreRequest, SyncDelta, UidValidity,
};

pub(in crate::grpc) fn to_flags(flags: &Flags) -> proto::Flags {
    proto::Flags {
        system: flags.bits().into(),
        keywords: flags.keywords().iter().map(|keyword| keyword.as_str().to_owned()).collect(),
    }
}

pub(in crate::grpc) fn from_flags(flags: Option<proto::Flags>) -> Result<Flags, Malformed> {
    // A message without flags needs no octets.
    let Some(flags) = flags else { return Ok(Flags::NONE) };
    let bits = u8::try_from(flags.system).map_err(|_| Malformed("unknown flag"))?;
    let keyword = |keyword| Keyword::try_from(keyword).map_err(|_| Malformed("not a keyword"));
    Ok(Flags::from_parts(bits, flags.keywords.into_iter().map(keyword).collect::<Result<_, _>>()?))
}

/// Absent when there is none.
fn to_some_flags(flags: &Flags) -> Option<proto::Flags> {
    (!flags.is_empty()).then(|| to_flags(flags))
}

fn to_run(run: &FlagRun) -> proto::FlagRun {
    proto::FlagRun { uids: to_runs(&run.uids), modseq: run.modseq.0, flags: to_some_flags(&run.flags) }
}

fn from_run(run: proto::FlagRun) -> Result<FlagRun, Malformed> {
    Ok(FlagRun { uids: from_runs(&run.uids)?, modseq: ModSeq(run.modseq), flags: from_flags(run.flags)? })
}

pub(in crate::grpc) fn to_delta(delta: SyncDelta) -> proto::SyncDelta {
    proto::SyncDelta {
        uid_validity: delta.uid_validity.0,
        uid_next: delta.uid_next.get(),
        highest_modseq: delta.highest_modseq.0,
        full: delta.full,
        appeared: to_runs(&delta.appeared),
        vanished: to_runs(&delta.vanished),
        changed: delta.changed.iter().map(to_run).collect(),
        recent: to_runs(&delta.recent),
    }
}

pub(in crate::grpc) fn from_delta(delta: proto::SyncDelta) -> Result<SyncDelta, Malformed> {
    Ok(SyncDelta {
        uid_validity: UidValidity(delta.uid_validity),
        uid_next: from_uid(delta.uid_next)?,
        highest_modseq: ModSeq(delta.highest_modseq),
        full: delta.full,
        appeared: from_runs(&delta.appeared)?,
        vanished: from_runs(&delta.vanished)?,
        changed: delta.changed.into_iter().map(from_run).collect::<Result<_, _>>()?,
        recent: from_runs(&delta.recent)?,
    })
}

pub(in crate::grpc) fn to_fetch_request(request: &FetchRequest) -> proto::FetchMessagesRequest {
    proto::FetchMessagesRequest {
        mailbox_id: request.mailbox.0,
        uids: to_runs(&request.uids),
        skeleton: request.items.skeleton,
        header: request.items.header,
        // Every MODSEQ of a message is above zero.
        changed_since: request.changed_since.map_or(0, |modseq| modseq.0),
    }
}

pub(in crate::grpc) fn from_fetch_request(
    request: &proto::FetchMessagesRequest,
) -> Result<FetchRequest, Malformed> {
    Ok(FetchRequest {
        mailbox: MailboxId(request.mailbox_id),
        uids: from_runs(&request.uids)?,
        items: FetchItems { skeleton: request.skeleton, header: request.header },
        changed_since: (request.changed_since > 0).then_some(ModSeq(request.changed_since)),
    })
}

pub(in crate::grpc) fn to_fetched(message: FetchedMessage) -> proto::FetchedMessage {
    proto::FetchedMessage {
        uid: message.uid.get(),
        modseq: message.modseq.0,
        flags: to_some_flags(&message.flags),
        received_at_us: message.received_at.timestamp_micros(),
        size: message.size,
        skeleton: message.skeleton,
        header: message.header,
    }
}

pub(in crate::grpc) fn from_fetched(message: proto::FetchedMessage) -> Result<FetchedMessage, Malformed> {
    Ok(FetchedMessage {
        uid: from_uid(message.uid)?,
        modseq: ModSeq(message.modseq),
        flags: from_flags(message.flags)?,
        received_at: from_time(message.received_at_us)?,
        size: message.size,
        skeleton: message.skeleton,
        header: message.header,
    })
}

pub(in crate::grpc) fn to_store_request(request: &StoreRequest) -> proto::StoreFlagsRequest {
    let operation = match request.operation {
        FlagsOperation::Replace => proto::FlagsOperation::Replace,
        FlagsOperation::Add => proto::FlagsOperation::Add,
        FlagsOperation::Remove => proto::FlagsOperation::Remove,
    };
    proto::StoreFlagsRequest {
        key: to_uuid(request.key.0),
        mailbox_id: request.mailbox.0,
        uids: to_runs(&request.uids),
        operation: operation.into(),
        flags: to_some_flags(&request.flags),
        unchanged_since: request.unchanged_since.map(|modseq| modseq.0),
    }
}

pub(in crate::grpc) fn from_store_request(
    request: proto::StoreFlagsRequest,
) -> Result<StoreRequest, Malformed> {
    let operation = match proto::FlagsOperation::try_from(request.operation) {
        Ok(proto::FlagsOperation::Replace) => FlagsOperation::Replace,
        Ok(proto::FlagsOperation::Add) => FlagsOperation::Add,
        Ok(proto::FlagsOperation::Remove) => FlagsOperation::Remove,
        Ok(proto::FlagsOperation::Unspecified) | Err(_) => return Err(Malformed("unknown flags operation")),
    };
    Ok(StoreRequest {
        key: IdempotencyKey(from_uuid(&request.key)?),
        mailbox: MailboxId(request.mailbox_id),
        uids: from_runs(&request.uids)?,
        operation,
        flags: from_flags(request.flags)?,
        unchanged_since: request.unchanged_since.map(ModSeq),
    })
}

pub(in crate::grpc) fn to_store_outcome(outcome: &StoreOutcome) -> proto::StoreFlagsResponse {
    proto::StoreFlagsResponse {
        stored: outcome.stored.iter().map(to_run).collect(),
        modified: to_runs(&outcome.modified),
        highest_modseq: outcome.highest_modseq.0,
    }
}

pub(in crate::grpc) fn from_store_outcome(
    outcome: proto::StoreFlagsResponse,
) -> Result<StoreOutcome, Malformed> {
    Ok(StoreOutcome {
        stored: outcome.stored.into_iter().map(from_run).collect::<Result<_, _>>()?,
        modified: from_runs(&outcome.modified)?,
        highest_modseq: ModSeq(outcome.highest_modseq),
    })
}

pub(in crate::grpc) fn to_copied(copied: &Copied) -> proto::Copied {
    proto::Copied {
        uid_validity: copied.uid_validity.0,
        source: to_runs(&copied.source),
        target: to_runs(&copied.target),
        source_modseq: copied.source_modseq.0,
    }
}

pub(in crate::grpc) fn from_copied(copied: Option<proto::Copied>) -> Result<Copied, Malformed> {
    let copied = required(copied)?;
    let (source, target) = (from_runs(&copied.source)?, from_runs(&copied.target)?);
    if source.len() != target.len() {
        return Err(Malformed("source and target do not pair up"));
    }
    let source_modseq = ModSeq(copied.source_modseq);
    Ok(Copied { uid_validity: UidValidity(copied.uid_validity), source, target, source_modseq })
}
