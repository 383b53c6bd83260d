//! Delivery status notifications (RFC 3464 in the `multipart/report` of RFC 6522).
//!
//! The result is a whole message in 7-bit octets with CRLF line ends. Everything comes from the caller,
//! the time and a unique id included. Whom to send it to, and that nobody answers a null sender, is the
//! caller's business.

use std::fmt::Write;

use chrono::{DateTime, FixedOffset};
use uuid::Uuid;

use crate::address::{Address, Domain};
use crate::trace;

/// Longest diagnostic text that is passed on.
const MAX_DIAGNOSTIC: usize = 2048;
/// Where long lines are folded, at a space.
const FOLD: usize = 76;
/// RFC 5322 2.1.1, without the line end.
const MAX_LINE: usize = 998;

/// A report about one message.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// The host that reports.
    pub reporting_mta: &'a Domain,
    /// The author of the report, usually `MAILER-DAEMON` of the reporting host.
    pub from: &'a Address,
    /// The sender of the message reported on.
    pub to: &'a Address,
    /// ENVID of the transaction (RFC 3461 4.4).
    pub envelope_id: Option<&'a str>,
    /// The queue's own id of the message, shown to people.
    pub queue_id: &'a str,
    /// When the message was accepted.
    pub arrival: DateTime<FixedOffset>,
    /// When this report is made.
    pub now: DateTime<FixedOffset>,
    /// A fresh id: boundary and Message-ID are made of it.
    pub id: Uuid,
    /// What happened to each recipient; all of one [`Action`] kind.
    pub recipients: Vec<RecipientReport<'a>>,
    /// What is returned of the message.
    pub original: Original<'a>,
}

/// What happened to one recipient.
#[derive(Debug, Clone)]
pub struct RecipientReport<'a> {
    /// Whom the delivery was for.
    pub recipient: &'a Address,
    /// ORCPT of the transaction (RFC 3461 4.2), as `type;address`.
    pub original_recipient: Option<&'a str>,
    /// Failed or delayed.
    pub action: Action,
    /// Enhanced status code (RFC 3463), as `5.1.1`.
    pub status: &'a str,
    /// The host that refused, if one did.
    pub remote_mta: Option<&'a str>,
    /// What that host, or we ourselves, said.
    pub diagnostic: Option<Diagnostic<'a>>,
    /// When the last attempt was made.
    pub last_attempt: Option<DateTime<FixedOffset>>,
}

/// `Diagnostic-Code` (RFC 3464 2.3.6).
#[derive(Debug, Clone, Copy)]
pub enum Diagnostic<'a> {
    /// The reply of an SMTP server, its code first.
    Smtp(&'a str),
    /// Our own words.
    Own(&'a str),
}

/// `Action` (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// It is still tried.
    Delayed {
        /// When the queue gives up.
        until: DateTime<FixedOffset>,
    },
}

/// What a report returns of the message.
#[derive(Debug, Clone, Copy)]
pub enum Original<'a> {
    /// Its header block.
    Headers(&'a [u8]),
    /// All of it; only its header is returned where it is not 7-bit.
    Full(&'a [u8]),
}

/// The report as a message.
#[must_use]
pub fn build(report: &Report<'_>) -> Vec<u8> {
    let boundary = format!("=_{}", report.id.simple());
    let mut out = String::with_capacity(4096);
    header(&mut out, report, &boundary);
    let _ = write!(out, "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
    explanation(&mut out, report);
    let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n");
    delivery_status(&mut out, report);
    let _ = write!(out, "\r\n--{boundary}\r\n");
    let mut bytes = out.into_bytes();
    original(&mut bytes, report.original);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    bytes
}

fn header(out: &mut String, report: &Report<'_>, boundary: &str) {
    let subject = if report.failed() {
        "Undelivered mail returned to sender"
    } else {
        "Delayed mail (still being tried)"
    };
    let _ = write!(out, "From: Mail Delivery System <{}>\r\nTo: <{}>\r\n", report.from, report.to);
    let _ = write!(out, "Subject: {subject}\r\n");
    out.push_str(&trace::date_line(report.now));
    out.push_str(&trace::message_id_line(report.id, report.reporting_mta));
    out.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
    let _ = write!(
        out,
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\r\n"
    );
}

/// The part for people.
fn explanation(out: &mut String, report: &Report<'_>) {
    let _ = write!(out, "This is the mail system at host {}.\r\n\r\n", report.reporting_mta);
    out.push_str(if report.failed() {
        "Your message could not be delivered to the recipients below.\r\nIt will not be tried again.\r\n"
    } else {
        "Your message has not been delivered yet to the recipients below.\r\n\
         It is still being tried; you do not need to send it again.\r\n"
    });
    let _ =
        write!(out, "\r\nReceived {}, queue id {}.\r\n", trace::date(report.arrival), clean(report.queue_id));
    for recipient in &report.recipients {
        let _ = write!(out, "\r\n<{}>:\r\n", recipient.recipient);
        if let Some(host) = recipient.remote_mta {
            fold(out, &format!("    host {} said:", clean(host)), "    ");
        }
        let said = recipient.diagnostic.map_or_else(String::new, |d| clean(d.text()));
        let said = if said.is_empty() { "no further information".to_owned() } else { said };
        fold(out, &format!("    {said}"), "    ");
        if let Action::Delayed { until } = recipient.action {
            let _ = write!(out, "    will be tried until {}\r\n", trace::date(until));
        }
    }
}

/// `message/delivery-status`: per-message fields, then a block for each recipient (RFC 3464 2.1).
fn delivery_status(out: &mut String, report: &Report<'_>) {
    field(out, "Reporting-MTA", &format!("dns; {}", report.reporting_mta));
    if let Some(id) = report.envelope_id {
        field(out, "Original-Envelope-Id", &clean(id));
    }
    field(out, "Arrival-Date", &trace::date(report.arrival));
    for recipient in &report.recipients {
        out.push_str("\r\n");
        if let Some(original) = recipient.original_recipient {
            field(out, "Original-Recipient", &clean(original));
        }
        field(out, "Final-Recipient", &format!("rfc822; {}", recipient.recipient));
        let action = match recipient.action {
            Action::Failed => "failed",
            Action::Delayed { .. } => "delayed",
        };
        field(out, "Action", action);
        field(out, "Status", &clean(recipient.status));
        if let Some(host) = recipient.remote_mta {
            field(out, "Remote-MTA", &format!("dns; {}", clean(host)));
        }
        match recipient.diagnostic {
            Some(Diagnostic::Smtp(text)) => field(out, "Diagnostic-Code", &format!("smtp; {}", clean(text))),
            Some(Diagnostic::Own(text)) => {
                field(out, "Diagnostic-Code", &format!("X-Staffetta; {}", clean(text)))
            }
            None => {}
        }
        if let Some(at) = recipient.last_attempt {
            field(out, "Last-Attempt-Date", &trace::date(at));
        }
        if let Action::Delayed { until } = recipient.action {
            field(out, "Will-Retry-Until", &trace::date(until));
        }
    }
}

fn original(out: &mut Vec<u8>, original: Original<'_>) {
    match original {
        Original::Full(message) if is_seven_bit(message) => {
            out.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
            out.extend_from_slice(message);
        }
        Original::Full(block) | Original::Headers(block) => {
            let block: Vec<u8> = crate::header::fields(block).flat_map(|f| f.raw.iter().copied()).collect();
            out.extend_from_slice(b"Content-Type: text/rfc822-headers\r\n");
            if is_seven_bit(&block) {
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(&block);
            } else {
                out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
                quoted_printable(out, &block);
            }
        }
    }
}

/// RFC 2045 2.7: ASCII without NUL, CR and LF only together, short lines.
fn is_seven_bit(bytes: &[u8]) -> bool {
    let lines_fine = bytes.split(|b| *b == b'\n').all(|line| line.len() <= MAX_LINE + 1);
    let crs = memchr::memchr_iter(b'\r', bytes).count();
    let lfs = memchr::memchr_iter(b'\n', bytes).count();
    let pairs = memchr::memmem::find_iter(bytes, b"\r\n").count();
    lines_fine && crs == pairs && lfs == pairs && bytes.iter().all(|b| b.is_ascii() && *b != 0)
}

/// RFC 2045 6.7, line by line.
fn quoted_printable(out: &mut Vec<u8>, bytes: &[u8]) {
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut column = 0;
        for (at, &b) in text.iter().enumerate() {
            let last = at + 1 == text.len();
            let plain = (b.is_ascii_graphic() && b != b'=') || (matches!(b, b' ' | b'\t') && !last);
            let width = if plain { 1 } else { 3 };
            if column + width > 75 {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            if plain {
                out.push(b);
            } else {
                out.extend_from_slice(format!("={b:02X}").as_bytes());
            }
            column += width;
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    fold(out, &format!("{name}: {value}"), " ");
}

/// Writes `text` as lines of at most [`FOLD`] characters where spaces allow, and never above the hard limit.
fn fold(out: &mut String, text: &str, indent: &str) {
    let mut column = 0;
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            if column + 1 + word.len() > FOLD && column > indent.len() {
                out.push_str("\r\n");
                out.push_str(indent);
                column = indent.len();
            } else {
                out.push(' ');
                column += 1;
            }
        }
        for c in word.chars() {
            if column >= MAX_LINE - 8 {
                out.push_str("\r\n");
                out.push_str(indent);
                column = indent.len();
            }
            out.push(c);
            column += 1;
        }
    }
    out.push_str("\r\n");
}

/// Foreign text in one line of printable ASCII.
fn clean(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(MAX_DIAGNOSTIC)
        .map(|c| match c {
            c if c.is_ascii_graphic() => c,
            c if c.is_ascii_whitespace() => ' ',
            _ => '?',
        })
        .collect();
    shown.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

impl Report<'_> {
    fn failed(&self) -> bool {
        self.recipients.iter().any(|r| r.action == Action::Failed)
    }
}

impl Diagnostic<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Smtp(text) | Self::Own(text) => text,
        }
    }
}

#[cfg(test)]
mod tests;
