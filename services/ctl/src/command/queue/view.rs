//! The queue as it is written.

use chrono::{DateTime, Utc};
use serde::Serialize;
use staffetta_outbound_api::{
    AttemptRecord, QueueStats, QueuedMessage, QueuedRecipient, RecipientStatus, RemoteReply,
};

use crate::output::{Column, count, span, time};

/// Most characters of a reply in a table.
const REPLY: usize = 100;

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) transaction: String,
    sender: Option<String>,
    pub(super) size: u64,
    pub(super) received_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) recipients: Vec<Recipient>,
    /// Not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<Attempt>>,
}

#[derive(Serialize)]
pub(super) struct Recipient {
    pub(super) address: String,
    status: RecipientStatus,
    pub(super) attempts: u32,
    next_attempt_at: Option<DateTime<Utc>>,
    last_reply: Option<Reply>,
}

#[derive(Serialize)]
struct Reply {
    host: Option<String>,
    code: Option<u16>,
    enhanced: String,
    text: String,
}

#[derive(Serialize)]
struct Attempt {
    started_at: DateTime<Utc>,
    elapsed_ms: u64,
    destination: String,
    replies: Vec<AttemptReply>,
}

#[derive(Serialize)]
struct AttemptReply {
    address: String,
    #[serde(flatten)]
    reply: Reply,
}

/// One line of the table of attempts.
pub(super) struct AttemptLine {
    started: String,
    took: String,
    destination: String,
    address: String,
    reply: String,
}

pub(super) const ATTEMPT_COLUMNS: [Column<AttemptLine>; 5] = [
    Column::left("STARTED", |line| line.started.clone()),
    Column::right("TOOK", |line| line.took.clone()),
    Column::left("DESTINATION", |line| line.destination.clone()),
    Column::left("RECIPIENT", |line| line.address.clone()),
    Column::left("REPLY", |line| line.reply.clone()),
];

impl Message {
    pub(super) fn new(message: QueuedMessage, with_attempts: bool) -> Self {
        Self {
            transaction: message.transaction.to_string(),
            sender: message.sender.map(|sender| sender.to_string()),
            size: message.size,
            received_at: message.received_at,
            expires_at: message.expires_at,
            recipients: message.recipients.into_iter().map(Recipient::from).collect(),
            attempts: with_attempts.then(|| message.attempts.into_iter().map(Attempt::from).collect()),
        }
    }

    pub(super) fn sender(&self) -> String {
        self.sender.clone().unwrap_or_else(|| "<>".to_owned())
    }

    fn first_waiting(&self) -> Option<&Recipient> {
        self.recipients.iter().find(|recipient| recipient.status == RecipientStatus::Waiting)
    }

    /// `bob@south.test`, and how many more.
    pub(super) fn waiting(&self) -> String {
        let waits = |recipient: &&Recipient| recipient.status == RecipientStatus::Waiting;
        match (self.first_waiting(), self.recipients.iter().filter(waits).count()) {
            (None, _) => "-".to_owned(),
            (Some(first), 1) => first.address.clone(),
            (Some(first), number) => format!("{} and {} more", first.address, number - 1),
        }
    }

    pub(super) fn next(&self) -> String {
        let next = self.recipients.iter().filter_map(|recipient| recipient.next_attempt_at).min();
        next.map_or_else(|| "-".to_owned(), time)
    }

    pub(super) fn last_reply(&self) -> String {
        self.first_waiting().map_or_else(|| "-".to_owned(), Recipient::last_reply)
    }

    pub(super) fn attempt_lines(&self) -> Vec<AttemptLine> {
        self.attempts.iter().flatten().flat_map(Attempt::lines).collect()
    }
}

impl Recipient {
    pub(super) fn status(&self) -> &'static str {
        match self.status {
            RecipientStatus::Waiting => "waiting",
            RecipientStatus::Delivered => "delivered",
            RecipientStatus::Failed => "failed",
            RecipientStatus::Cancelled => "cancelled",
        }
    }

    pub(super) fn next(&self) -> String {
        self.next_attempt_at.map_or_else(|| "-".to_owned(), time)
    }

    pub(super) fn last_reply(&self) -> String {
        self.last_reply.as_ref().map_or_else(|| "-".to_owned(), Reply::line)
    }
}

impl Reply {
    /// `451 4.4.1 try later (mx.south.test)`
    fn line(&self) -> String {
        let code = self.code.map(|code| format!("{code} ")).unwrap_or_default();
        let mut text: String = self.text.chars().take(REPLY).collect();
        if text.len() < self.text.len() {
            text.push_str("...");
        }
        let host = self.host.as_ref().map(|host| format!(" ({host})")).unwrap_or_default();
        format!("{code}{} {text}{host}", self.enhanced)
    }
}

impl Attempt {
    fn lines(&self) -> impl Iterator<Item = AttemptLine> {
        self.replies.iter().map(|reply| AttemptLine {
            started: time(self.started_at),
            took: format!("{} ms", self.elapsed_ms),
            destination: self.destination.clone(),
            address: reply.address.clone(),
            reply: reply.reply.line(),
        })
    }
}

impl From<QueuedRecipient> for Recipient {
    fn from(recipient: QueuedRecipient) -> Self {
        Self {
            address: recipient.address.to_string(),
            status: recipient.status,
            attempts: recipient.attempts,
            next_attempt_at: recipient.next_attempt_at,
            last_reply: recipient.last_reply.map(Reply::from),
        }
    }
}

impl From<RemoteReply> for Reply {
    fn from(reply: RemoteReply) -> Self {
        let RemoteReply { host, code, enhanced, text } = reply;
        Self { host, code, enhanced, text }
    }
}

impl From<AttemptRecord> for Attempt {
    fn from(attempt: AttemptRecord) -> Self {
        let reply = |(address, reply): (staffetta_message::address::Address, RemoteReply)| AttemptReply {
            address: address.to_string(),
            reply: reply.into(),
        };
        Self {
            started_at: attempt.started_at,
            elapsed_ms: u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
            destination: attempt.destination,
            replies: attempt.replies.into_iter().map(reply).collect(),
        }
    }
}

/// Totals of the queue.
#[derive(Serialize)]
pub(in crate::command) struct Stats {
    messages: u64,
    recipients: u64,
    due: u64,
    in_flight: u64,
    oldest_age_s: u64,
}

impl From<QueueStats> for Stats {
    fn from(stats: QueueStats) -> Self {
        let QueueStats { messages, recipients, due, in_flight, oldest_age } = stats;
        Self { messages, recipients, due, in_flight, oldest_age_s: oldest_age.as_secs() }
    }
}

impl Stats {
    pub(super) fn fields(&self) -> [(&'static str, String); 5] {
        [
            ("messages", self.messages.to_string()),
            ("recipients", self.recipients.to_string()),
            ("due now", self.due.to_string()),
            ("in flight", self.in_flight.to_string()),
            ("oldest", self.oldest()),
        ]
    }

    /// `3 messages to 5 recipients, 2 due, 1 in flight, oldest 2h 5m`
    pub(in crate::command) fn sentence(&self) -> String {
        match self.messages {
            0 => "empty".to_owned(),
            messages => format!(
                "{} to {}, {} due, {} in flight, oldest {}",
                count(messages, "message"),
                count(self.recipients, "recipient"),
                self.due,
                self.in_flight,
                self.oldest()
            ),
        }
    }

    fn oldest(&self) -> String {
        match self.messages {
            0 => "-".to_owned(),
            _ => span(std::time::Duration::from_secs(self.oldest_age_s)),
        }
    }
}
