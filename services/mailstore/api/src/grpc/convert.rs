//! Between the domain and the messages of `staffetta.mailstore.v1`.
//!
//! `to_*` make messages and cannot fail; `from_*` read them and refuse what makes no sense ([`Malformed`]).

mod mailboxes;
mod messages;
mod search;

pub(super) use mailboxes::{
    from_listing, from_mailbox, from_open_request, from_opened, from_special_use, from_status, to_listing,
    to_mailbox, to_open_request, to_opened, to_special_use, to_status,
};
pub(super) use messages::{
    from_copied, from_delta, from_fetch_request, from_fetched, from_flags, from_store_outcome,
    from_store_request, to_copied, to_delta, to_fetch_request, to_fetched, to_flags, to_store_outcome,
    to_store_request,
};
pub(super) use search::{from_key, to_key};

use chrono::{DateTime, Utc};
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};
use staffetta_proto::mailstore::v1 as proto;
use uuid::Uuid;

use crate::{
    Appended, BodyChunk, BodyRange, DeliveryTarget, MailboxId, MailboxName, Maildrop, MaildropLease,
    MaildropMessage, MailstoreError, QuotaUsage, Uid, UidSet, UidValidity, WatchEvent,
};

/// A message that makes no sense; the text says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

impl From<Malformed> for MailstoreError {
    /// In a request: the caller's defect.
    fn from(malformed: Malformed) -> Self {
        Self::Invalid { message: malformed.0.to_owned() }
    }
}

impl Malformed {
    /// In an answer: the server's defect.
    pub(super) fn in_answer(self) -> MailstoreError {
        MailstoreError::Internal { message: format!("malformed answer: {}", self.0) }
    }
}

/// A message that must be there.
pub(super) fn required<T>(message: Option<T>) -> Result<T, Malformed> {
    message.ok_or(Malformed("a required message is missing"))
}

// === sets of UIDs ===

/// Alternating (gap, extra) numbers, as the proto file tells.
pub(super) fn to_runs(set: &UidSet) -> Vec<u32> {
    let mut runs = Vec::with_capacity(set.runs().len() * 2);
    let mut next = 1;
    for run in set.runs() {
        let (first, last) = (run.start().get(), run.end().get());
        runs.extend([first - next, last - first]);
        // Only a set that ends with the largest UID wraps, and then nothing follows.
        next = last.wrapping_add(1);
    }
    runs
}

pub(super) fn from_runs(runs: &[u32]) -> Result<UidSet, Malformed> {
    let (pairs, []) = runs.as_chunks::<2>() else { return Err(Malformed("half a run in a set of UIDs")) };
    let mut set = UidSet::new();
    let mut next = 1_u64;
    for [gap, extra] in pairs {
        let first = next + u64::from(*gap);
        let last = first + u64::from(*extra);
        set.insert_range(from_wide(first)?..=from_wide(last)?);
        next = last + 1;
    }
    Ok(set)
}

fn from_wide(uid: u64) -> Result<Uid, Malformed> {
    u32::try_from(uid).ok().and_then(Uid::new).ok_or(Malformed("a UID is out of range"))
}

pub(super) fn from_uid(uid: u32) -> Result<Uid, Malformed> {
    Uid::new(uid).ok_or(Malformed("a UID is zero"))
}

// === names, ids, times ===

pub(super) fn from_name(name: String) -> Result<MailboxName, Malformed> {
    name.try_into().map_err(|_| Malformed("not a mailbox name"))
}

pub(super) fn to_uuid(uuid: Uuid) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(uuid.as_bytes())
}

pub(super) fn from_uuid(octets: &[u8]) -> Result<Uuid, Malformed> {
    Uuid::from_slice(octets).map_err(|_| Malformed("a UUID has 16 octets"))
}

pub(super) fn from_time(microseconds: i64) -> Result<DateTime<Utc>, Malformed> {
    DateTime::from_timestamp_micros(microseconds).ok_or(Malformed("a time is out of range"))
}

// === bodies ===

pub(super) const fn to_range(range: &BodyRange) -> proto::BodyRange {
    proto::BodyRange { uid: range.uid.get(), offset: range.offset, length: range.length }
}

pub(super) fn from_range(range: proto::BodyRange) -> Result<BodyRange, Malformed> {
    Ok(BodyRange { uid: from_uid(range.uid)?, offset: range.offset, length: range.length })
}

pub(super) fn to_chunk(chunk: BodyChunk) -> proto::BodyChunk {
    let BodyChunk { range, data, last, missing } = chunk;
    proto::BodyChunk { range, data, last, missing }
}

pub(super) fn from_chunk(chunk: proto::BodyChunk) -> BodyChunk {
    let proto::BodyChunk { range, data, last, missing } = chunk;
    BodyChunk { range, data, last, missing }
}

// === delivery ===

pub(super) const fn to_target(target: &DeliveryTarget) -> proto::DeliveryTarget {
    proto::DeliveryTarget {
        account_id: target.account.0,
        epoch: target.epoch.0,
        quota_bytes: target.quota.bytes,
        quota_messages: target.quota.messages,
    }
}

pub(super) const fn from_target(target: proto::DeliveryTarget) -> DeliveryTarget {
    DeliveryTarget {
        account: AccountId(target.account_id),
        epoch: ShardEpoch(target.epoch),
        quota: Quota { bytes: target.quota_bytes, messages: target.quota_messages },
    }
}

pub(super) fn to_delivered(account: AccountId, stored: Option<Appended>) -> proto::DeliveredTarget {
    proto::DeliveredTarget {
        account_id: account.0,
        replayed: stored.is_none(),
        uid_validity: stored.map_or(0, |at| at.uid_validity.0),
        uid: stored.map_or(0, |at| at.uid.get()),
    }
}

pub(super) fn from_delivered(
    target: proto::DeliveredTarget,
) -> Result<(AccountId, Option<Appended>), Malformed> {
    let account = AccountId(target.account_id);
    if target.replayed {
        return Ok((account, None));
    }
    Ok((
        account,
        Some(Appended { uid_validity: UidValidity(target.uid_validity), uid: from_uid(target.uid)? }),
    ))
}

// === maildrops ===

pub(super) fn to_maildrop(maildrop: &Maildrop) -> proto::OpenMaildropResponse {
    let message =
        |message: &MaildropMessage| proto::MaildropMessage { uid: message.uid.get(), size: message.size };
    proto::OpenMaildropResponse {
        lease: to_uuid(maildrop.lease.0),
        mailbox_id: maildrop.mailbox.0,
        uid_validity: maildrop.uid_validity.0,
        messages: maildrop.messages.iter().map(message).collect(),
    }
}

pub(super) fn from_maildrop(maildrop: proto::OpenMaildropResponse) -> Result<Maildrop, Malformed> {
    let message = |message: proto::MaildropMessage| {
        Ok(MaildropMessage { uid: from_uid(message.uid)?, size: message.size })
    };
    Ok(Maildrop {
        lease: MaildropLease(from_uuid(&maildrop.lease)?),
        mailbox: MailboxId(maildrop.mailbox_id),
        uid_validity: UidValidity(maildrop.uid_validity),
        messages: maildrop.messages.into_iter().map(message).collect::<Result<_, _>>()?,
    })
}

// === accounts ===

pub(super) const fn to_usage(usage: &QuotaUsage) -> proto::QuotaUsage {
    proto::QuotaUsage {
        bytes: usage.bytes,
        messages: usage.messages,
        limit_bytes: usage.limit.bytes,
        limit_messages: usage.limit.messages,
    }
}

pub(super) const fn from_usage(usage: proto::QuotaUsage) -> QuotaUsage {
    QuotaUsage {
        bytes: usage.bytes,
        messages: usage.messages,
        limit: Quota { bytes: usage.limit_bytes, messages: usage.limit_messages },
    }
}

// === watch ===

pub(super) fn to_event(event: &WatchEvent) -> proto::WatchAccountsResponse {
    use proto::watch_accounts_response::Event;
    let event = match *event {
        WatchEvent::Watching { account, modseq } => {
            Event::Watching(proto::WatchingEvent { account_id: account.0, modseq: modseq.0 })
        }
        WatchEvent::Changed { account, mailbox, modseq } => Event::Changed(proto::ChangedEvent {
            account_id: account.0,
            mailbox_id: mailbox.map(|mailbox| mailbox.0),
            modseq: modseq.0,
        }),
        WatchEvent::Ended { account } => Event::Ended(proto::EndedEvent { account_id: account.0 }),
    };
    proto::WatchAccountsResponse { event: Some(event) }
}

pub(super) fn from_event(response: proto::WatchAccountsResponse) -> Result<WatchEvent, Malformed> {
    use proto::watch_accounts_response::Event;
    Ok(match required(response.event)? {
        Event::Watching(event) => {
            WatchEvent::Watching { account: AccountId(event.account_id), modseq: crate::ModSeq(event.modseq) }
        }
        Event::Changed(event) => WatchEvent::Changed {
            account: AccountId(event.account_id),
            mailbox: event.mailbox_id.map(MailboxId),
            modseq: crate::ModSeq(event.modseq),
        },
        Event::Ended(event) => WatchEvent::Ended { account: AccountId(event.account_id) },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_of_uids_survive_the_wire(runs in prop::collection::vec((1_u32.., 0_u32..1000), 0..30)) {
            let set: UidSet = runs
                .into_iter()
                .filter_map(|(first, extra)| Some(Uid::new(first)?..=Uid::new(first.saturating_add(extra))?))
                .collect();
            prop_assert_eq!(from_runs(&to_runs(&set)), Ok(set));
        }

        #[test]
        fn no_numbers_from_the_wire_panic(runs in prop::collection::vec(any::<u32>(), 0..20)) {
            if let Ok(set) = from_runs(&runs) {
                prop_assert!(set.len() <= u64::from(u32::MAX));
            }
        }
    }

    #[test]
    fn the_example_of_the_proto_file_holds() {
        let set: UidSet = (1..=10).chain([20]).filter_map(Uid::new).collect();
        assert_eq!(to_runs(&set), [0, 9, 9, 0]);
        assert_eq!(to_runs(&UidSet::all()), [0, u32::MAX - 1]);
        assert_eq!(from_runs(&[0, u32::MAX - 1]), Ok(UidSet::all()));
        assert_eq!(from_runs(&[0, u32::MAX]), Err(Malformed("a UID is out of range")));
        assert_eq!(from_runs(&[1]), Err(Malformed("half a run in a set of UIDs")));
    }
}
