//! Trace and identification fields that a server adds (RFC 5321 4.4, RFC 5322 3.6).

use std::net::IpAddr;

use chrono::{DateTime, FixedOffset};
use uuid::Uuid;

use crate::address::{Address, Domain};
use crate::header::fields;

/// Longest foreign text taken into a trace field.
const MAX_FOREIGN: usize = 255;

/// What a `Received` field says. Foreign texts are cleaned before they are written.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// What the client called itself in EHLO or HELO.
    pub helo: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// The client's verified host name, if known.
    pub client_name: Option<&'a str>,
    /// This host.
    pub by: &'a str,
    /// `with` protocol of RFC 3848 (`ESMTPS`, `ESMTPSA`).
    pub protocol: &'a str,
    /// TLS version and cipher, as a comment.
    pub tls: Option<&'a str>,
    /// The transaction id.
    pub id: &'a str,
    /// The recipient, only if there is exactly one (RFC 5321 7.2).
    pub recipient: Option<&'a Address>,
    /// When the message was received.
    pub at: DateTime<FixedOffset>,
}

/// The `Received` field, folded, with its line end.
#[must_use]
pub fn received(trace: &Received<'_>) -> String {
    let name = trace.client_name.map_or_else(String::new, |n| format!("{} ", clean(n)));
    let address = Domain::from_ip(trace.client);
    let tls = trace.tls.map_or_else(String::new, |t| format!("\r\n\t({})", clean(t)));
    let recipient = trace.recipient.map_or_else(String::new, |r| format!("\r\n\tfor <{r}>"));
    format!(
        "Received: from {helo} ({name}{address})\r\n\tby {by} with {protocol} id {id}{tls}{recipient};\r\n\t{at}\r\n",
        helo = atom(trace.helo),
        by = atom(trace.by),
        protocol = atom(trace.protocol),
        id = atom(trace.id),
        at = date(trace.at),
    )
}

/// `date-time` of RFC 5322 3.3.
#[must_use]
pub fn date(at: DateTime<FixedOffset>) -> String {
    at.format("%a, %-d %b %Y %H:%M:%S %z").to_string()
}

/// A `Date` field with its line end.
#[must_use]
pub fn date_line(at: DateTime<FixedOffset>) -> String {
    format!("Date: {}\r\n", date(at))
}

/// A `Message-ID` field with its line end; `id` must be unique.
#[must_use]
pub fn message_id_line(id: Uuid, domain: &Domain) -> String {
    let right = domain.as_str();
    format!("Message-ID: <{id}@{right}>\r\n")
}

/// How many `Received` fields a header block holds: too many is a loop (RFC 5321 6.3).
#[must_use]
pub fn count_received(block: &[u8]) -> usize {
    fields(block).filter(|f| f.is("received")).count()
}

/// Whether a header block holds a field named `name`.
#[must_use]
pub fn has_field(block: &[u8], name: &str) -> bool {
    fields(block).any(|f| f.is(name))
}

/// Foreign text inside a comment: printable ASCII without what could end the comment.
fn clean(text: &str) -> String {
    text.chars()
        .take(MAX_FOREIGN)
        .map(|c| if (c.is_ascii_graphic() && !"()\\".contains(c)) || c == ' ' { c } else { '?' })
        .collect()
}

/// Foreign text as one word.
fn atom(text: &str) -> String {
    let word: String = clean(text).chars().map(|c| if " ;<>\",".contains(c) { '?' } else { c }).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace<'a>(helo: &'a str, recipient: Option<&'a Address>) -> Received<'a> {
        Received {
            helo,
            client: "192.0.2.7".parse().unwrap(),
            client_name: None,
            by: "mx.south.test",
            protocol: "ESMTPS",
            tls: Some("TLSv1.3 TLS_AES_256_GCM_SHA384"),
            id: "0190",
            recipient,
            at: DateTime::parse_from_rfc3339("2024-06-03T10:00:00+00:00").unwrap(),
        }
    }

    #[test]
    fn rfc5321_4_4_received() {
        let to = Address::parse("bob@south.test").unwrap();
        assert_eq!(
            received(&trace("mail.north.test", Some(&to))),
            "Received: from mail.north.test ([192.0.2.7])\r\n\tby mx.south.test with ESMTPS id 0190\r\n\t\
             (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n\tfor <bob@south.test>;\r\n\t\
             Mon, 3 Jun 2024 10:00:00 +0000\r\n"
        );
    }

    #[test]
    fn hostile_helo_cannot_forge_a_field() {
        let line = received(&trace("x (\r\nReceived: a;\n", None));
        assert_eq!(fields(line.as_bytes()).count(), 1);
        assert!(line.starts_with("Received: from x????Received:?a?? ([192.0.2.7])"), "{line}");
        assert_eq!(count_received(line.as_bytes()), 1);
    }

    #[test]
    fn date_line_can_be_read_back() {
        let at = DateTime::parse_from_rfc3339("2024-06-03T10:00:00+02:00").unwrap();
        let line = date_line(at);
        let value = crate::header::first(line.as_bytes(), "date").unwrap();
        assert_eq!(crate::header::parse_date(&value), Some(at));
    }
}
