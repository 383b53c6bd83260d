//! Between the domain and the messages of `staffetta.queue.v1`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_message::address::{Address, Domain};
use staffetta_proto::queue::v1 as proto;
use uuid::Uuid;

use crate::{
    AttemptRecord, EnqueueRequest, QueueError, QueueFilter, QueueStats, QueuedMessage, QueuedRecipient,
    RecipientStatus, RemoteReply, TransactionId,
};

/// Everything of a request to enqueue but the body.
pub(super) fn to_header(request: &EnqueueRequest) -> proto::EnqueueHeader {
    proto::EnqueueHeader {
        transaction: to_transaction(request.transaction),
        sender: request.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        recipients: request.recipients.iter().map(ToString::to_string).collect(),
        eight_bit: request.eight_bit,
        received_at_micros: request.received_at.timestamp_micros(),
        traceparent: request.traceparent.clone().unwrap_or_default(),
        size: request.body.len(),
    }
}

/// The request, with an empty body.
pub(super) fn from_header(header: proto::EnqueueHeader) -> Result<EnqueueRequest, QueueError> {
    Ok(EnqueueRequest {
        transaction: from_transaction(&header.transaction)?,
        sender: from_optional_address(&header.sender)?,
        recipients: header.recipients.iter().map(|text| from_address(text)).collect::<Result<_, _>>()?,
        eight_bit: header.eight_bit,
        received_at: from_micros(header.received_at_micros)?,
        traceparent: Some(header.traceparent).filter(|text| !text.is_empty()),
        body: bytes::Bytes::new().into(),
    })
}

pub(super) fn to_filter(filter: &QueueFilter) -> proto::ListRequest {
    proto::ListRequest {
        sender: filter.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        recipient_domain: filter.recipient_domain.as_ref().map(ToString::to_string).unwrap_or_default(),
        after: filter.after.map(to_transaction).unwrap_or_default(),
        limit: filter.limit,
    }
}

pub(super) fn from_filter(request: proto::ListRequest) -> Result<QueueFilter, QueueError> {
    let domain = match request.recipient_domain.as_str() {
        "" => None,
        text => Some(Domain::parse(text).map_err(|error| invalid(&format!("domain {text:?}: {error}")))?),
    };
    Ok(QueueFilter {
        sender: from_optional_address(&request.sender)?,
        recipient_domain: domain,
        after: from_optional_transaction(&request.after)?,
        limit: request.limit,
    })
}

pub(super) fn to_message(message: &QueuedMessage) -> proto::QueuedMessage {
    proto::QueuedMessage {
        transaction: to_transaction(message.transaction),
        sender: message.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        size: message.size,
        received_at_micros: message.received_at.timestamp_micros(),
        expires_at_micros: message.expires_at.timestamp_micros(),
        recipients: message.recipients.iter().map(to_recipient).collect(),
        attempts: message.attempts.iter().map(to_attempt).collect(),
    }
}

pub(super) fn from_message(message: proto::QueuedMessage) -> Result<QueuedMessage, QueueError> {
    Ok(QueuedMessage {
        transaction: from_transaction(&message.transaction)?,
        sender: from_optional_address(&message.sender)?,
        size: message.size,
        received_at: from_micros(message.received_at_micros)?,
        expires_at: from_micros(message.expires_at_micros)?,
        recipients: message.recipients.into_iter().map(from_recipient).collect::<Result<_, _>>()?,
        attempts: message.attempts.into_iter().map(from_attempt).collect::<Result<_, _>>()?,
    })
}

pub(super) fn to_stats(stats: &QueueStats) -> proto::StatsResponse {
    proto::StatsResponse {
        messages: stats.messages,
        recipients: stats.recipients,
        due: stats.due,
        in_flight: stats.in_flight,
        oldest_age_millis: to_millis(stats.oldest_age),
    }
}

pub(super) fn from_stats(stats: &proto::StatsResponse) -> QueueStats {
    QueueStats {
        messages: stats.messages,
        recipients: stats.recipients,
        due: stats.due,
        in_flight: stats.in_flight,
        oldest_age: Duration::from_millis(stats.oldest_age_millis),
    }
}

pub(super) fn to_transaction(transaction: TransactionId) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(transaction.0.as_bytes())
}

pub(super) fn from_transaction(octets: &[u8]) -> Result<TransactionId, QueueError> {
    Uuid::from_slice(octets).map(TransactionId).map_err(|_| invalid("a transaction has 16 octets"))
}

pub(super) fn from_optional_transaction(octets: &[u8]) -> Result<Option<TransactionId>, QueueError> {
    if octets.is_empty() { Ok(None) } else { from_transaction(octets).map(Some) }
}

fn to_recipient(recipient: &QueuedRecipient) -> proto::QueuedRecipient {
    let status = match recipient.status {
        RecipientStatus::Waiting => proto::RecipientStatus::Waiting,
        RecipientStatus::Delivered => proto::RecipientStatus::Delivered,
        RecipientStatus::Failed => proto::RecipientStatus::Failed,
        RecipientStatus::Cancelled => proto::RecipientStatus::Cancelled,
    };
    proto::QueuedRecipient {
        address: recipient.address.to_string(),
        status: status.into(),
        last_reply: recipient.last_reply.as_ref().map(to_reply),
        attempts: recipient.attempts,
        next_attempt_at_micros: recipient.next_attempt_at.map(|at| at.timestamp_micros()),
    }
}

fn from_recipient(recipient: proto::QueuedRecipient) -> Result<QueuedRecipient, QueueError> {
    let status = match recipient.status() {
        proto::RecipientStatus::Waiting => RecipientStatus::Waiting,
        proto::RecipientStatus::Delivered => RecipientStatus::Delivered,
        proto::RecipientStatus::Failed => RecipientStatus::Failed,
        proto::RecipientStatus::Cancelled => RecipientStatus::Cancelled,
        proto::RecipientStatus::Unspecified => return Err(invalid("a recipient without a status")),
    };
    Ok(QueuedRecipient {
        address: from_address(&recipient.address)?,
        status,
        last_reply: recipient.last_reply.map(from_reply),
        attempts: recipient.attempts,
        next_attempt_at: recipient.next_attempt_at_micros.map(from_micros).transpose()?,
    })
}

fn to_attempt(attempt: &AttemptRecord) -> proto::AttemptRecord {
    let reply = |(address, reply): &(Address, RemoteReply)| proto::AttemptReply {
        address: address.to_string(),
        reply: Some(to_reply(reply)),
    };
    proto::AttemptRecord {
        started_at_micros: attempt.started_at.timestamp_micros(),
        elapsed_millis: to_millis(attempt.elapsed),
        destination: attempt.destination.clone(),
        replies: attempt.replies.iter().map(reply).collect(),
    }
}

fn from_attempt(attempt: proto::AttemptRecord) -> Result<AttemptRecord, QueueError> {
    let reply = |reply: proto::AttemptReply| {
        let said = reply.reply.ok_or_else(|| invalid("an attempt without its reply"))?;
        Ok((from_address(&reply.address)?, from_reply(said)))
    };
    Ok(AttemptRecord {
        started_at: from_micros(attempt.started_at_micros)?,
        elapsed: Duration::from_millis(attempt.elapsed_millis),
        destination: attempt.destination,
        replies: attempt.replies.into_iter().map(reply).collect::<Result<_, QueueError>>()?,
    })
}

fn to_reply(reply: &RemoteReply) -> proto::RemoteReply {
    proto::RemoteReply {
        host: reply.host.clone().unwrap_or_default(),
        code: reply.code.unwrap_or_default().into(),
        enhanced: reply.enhanced.clone(),
        text: reply.text.clone(),
    }
}

fn from_reply(reply: proto::RemoteReply) -> RemoteReply {
    RemoteReply {
        host: Some(reply.host).filter(|host| !host.is_empty()),
        code: u16::try_from(reply.code).ok().filter(|code| *code > 0),
        enhanced: reply.enhanced,
        text: reply.text,
    }
}

fn from_address(text: &str) -> Result<Address, QueueError> {
    Address::parse(text).map_err(|error| invalid(&format!("address {text:?}: {error}")))
}

fn from_optional_address(text: &str) -> Result<Option<Address>, QueueError> {
    if text.is_empty() { Ok(None) } else { from_address(text).map(Some) }
}

fn from_micros(micros: i64) -> Result<DateTime<Utc>, QueueError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| invalid("a time is out of range"))
}

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn invalid(message: &str) -> QueueError {
    QueueError::Invalid { message: message.to_owned() }
}
