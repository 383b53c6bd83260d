//! The fields that this hop writes in front of a message.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use staffetta_mailstore_api::TransactionId;
use staffetta_message::address::{Address, Domain};
use staffetta_message::trace::{Received, date_line, message_id_line, received};

use crate::policy::header::Lacks;

/// Where a message came from, for its Received field.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    /// Whether it said EHLO.
    pub extended: bool,
    /// Whether it logged in.
    pub authenticated: bool,
    /// Its address.
    pub client: IpAddr,
    /// TLS version and cipher, if the connection was encrypted.
    pub tls: Option<&'a str>,
    /// What we call ourselves.
    pub hostname: &'a Domain,
    /// The transaction.
    pub id: TransactionId,
    /// The recipient, if there is exactly one: nobody learns of the others (RFC 5321 7.2).
    pub recipient: Option<&'a Address>,
    /// When the final dot came.
    pub at: DateTime<Utc>,
}

/// Received first, then what the header lacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of a message from `origin` whose header lacks `lacks`.
    #[must_use]
    pub fn new(origin: &Origin<'_>, lacks: Lacks) -> Self {
        let at = origin.at.fixed_offset();
        let mut text = received(&Received {
            helo: origin.helo,
            client: origin.client,
            client_name: None,
            by: origin.hostname.as_str(),
            protocol: protocol(origin),
            tls: origin.tls,
            id: &origin.id.to_string(),
            recipient: origin.recipient,
            at,
        });
        if lacks.date {
            text.push_str(&date_line(at));
        }
        if lacks.message_id {
            text.push_str(&message_id_line(origin.id.0, origin.hostname));
        }
        if lacks.separator {
            text.push_str("\r\n");
        }
        Self(text)
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// With Return-Path in front, for a final delivery (RFC 5321 4.4).
    #[must_use]
    pub fn with_return_path(&self, sender: Option<&Address>) -> Self {
        let path = sender.map(ToString::to_string).unwrap_or_default();
        Self(format!("Return-Path: <{path}>\r\n{}", self.0))
    }
}

/// RFC 3848.
fn protocol(origin: &Origin<'_>) -> &'static str {
    match (origin.extended, origin.tls.is_some(), origin.authenticated) {
        (false, _, _) => "SMTP",
        (true, false, false) => "ESMTP",
        (true, true, false) => "ESMTPS",
        (true, false, true) => "ESMTPA",
        (true, true, true) => "ESMTPSA",
    }
}
