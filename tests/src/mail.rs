//! Messages that can be told apart, and what a mailbox holds of them.

use anyhow::Context as _;
use uuid::Uuid;

use crate::client::imap::ImapClient;

/// The field that tells a test's messages apart.
pub const MARKER: &str = "X-Test-Marker";

/// A small message with a marker.
#[must_use]
pub fn message(marker: &str, from: &str, to: &str) -> Vec<u8> {
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {marker}\r\n{MARKER}: {marker}\r\n\r\nThe body of {marker}.\r\n.dots\r\n"
    )
    .into_bytes()
}

/// One message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its UID.
    pub uid: u32,
    /// Its marker; empty if it has none.
    pub marker: String,
    /// The transaction ids of its Received fields, newest first.
    pub transactions: Vec<Uuid>,
}

/// All messages of the selected mailbox in UID order.
///
/// # Errors
/// The connection is gone, or an answer is not as expected.
pub async fn list(imap: &mut ImapClient) -> anyhow::Result<Vec<Listed>> {
    let fields = format!("BODY.PEEK[HEADER.FIELDS ({MARKER} Received)]");
    let answer = imap.ok(&format!("UID FETCH 1:* (UID {fields})")).await?;
    answer.untagged.iter().filter(|line| line.contains(" FETCH (")).map(|line| listed(line)).collect()
}

fn listed(line: &str) -> anyhow::Result<Listed> {
    let (_, rest) = line.split_once("UID ").with_context(|| format!("no UID: {line}"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let fields = unfolded(line);
    let value = |field: &str| field.split_once(':').map(|(_, value)| value.trim().to_owned());
    let marker = fields.iter().find(|field| field.starts_with(MARKER)).and_then(|field| value(field));
    let received = fields.iter().filter(|field| field.starts_with("Received:"));
    let transactions = received.filter_map(|field| id_of(field)).collect();
    Ok(Listed { uid: digits.parse()?, marker: marker.unwrap_or_default(), transactions })
}

/// The clause `id` of a Received field.
fn id_of(received: &str) -> Option<Uuid> {
    let words: Vec<&str> = received.split([' ', '\t', ';']).collect();
    words.windows(2).find(|pair| pair[0] == "id").and_then(|pair| pair[1].parse().ok())
}

fn unfolded(text: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in text.split("\r\n") {
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.push_str(line),
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}
