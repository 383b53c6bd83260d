//! Replies as the queue keeps them.

use staffetta_outbound_api::{RecipientId, RecipientResult, RemoteReply, Verdict};
use staffetta_smtp::reply::{EnhancedCode, Reply, Severity};

/// Longest text that is kept, in octets.
const MAX_TEXT: usize = 512;

/// What `host` said.
#[must_use]
pub fn remote_reply(host: &str, reply: &Reply) -> RemoteReply {
    let class = match reply.severity() {
        Severity::Completed => 2,
        Severity::Permanent => 5,
        Severity::Intermediate | Severity::Transient => 4,
    };
    let enhanced = reply.enhanced().unwrap_or(EnhancedCode(class, 0, 0));
    RemoteReply {
        host: Some(host.to_owned()),
        code: Some(reply.code()),
        enhanced: enhanced.to_string(),
        text: one_line(&reply.text()),
    }
}

/// What we have to say ourselves, about `host` if one was involved.
#[must_use]
pub fn own_reply(host: Option<&str>, enhanced: EnhancedCode, text: &str) -> RemoteReply {
    RemoteReply {
        host: host.map(ToOwned::to_owned),
        code: None,
        enhanced: enhanced.to_string(),
        text: one_line(text),
    }
}

/// What a reply to RCPT or to the final dot means. Intermediate codes are out of place there and count as transient.
#[must_use]
pub fn verdict_of(reply: &Reply) -> Verdict {
    match reply.severity() {
        Severity::Completed => Verdict::Delivered,
        Severity::Permanent => Verdict::Failed,
        Severity::Intermediate | Severity::Transient => Verdict::Deferred,
    }
}

/// To be tried again.
#[must_use]
pub fn deferred(recipient: RecipientId, reply: RemoteReply) -> RecipientResult {
    RecipientResult { recipient, verdict: Verdict::Deferred, reply }
}

/// Never to be tried again.
#[must_use]
pub fn failed(recipient: RecipientId, reply: RemoteReply) -> RecipientResult {
    RecipientResult { recipient, verdict: Verdict::Failed, reply }
}

/// Control characters become spaces, the rest is cut at a character boundary.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_TEXT));
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + character.len_utf8() > MAX_TEXT {
            break;
        }
        line.push(character);
    }
    line
}
