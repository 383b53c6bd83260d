//! What the header of a message must and must not say.

use staffetta_message::header::{FromError, fields, first, header_from_addresses};
use staffetta_message::trace::{count_received, has_field};
use staffetta_smtp::reply::EnhancedCode;

use super::Policy;
use crate::error::Refusal;
use crate::session::Account;

/// Most authors of one message; each costs a look-up.
const MAX_AUTHORS: usize = 20;

/// The field by which platforms that trust each other continue a trace over SMTP (W3C `traceparent` format).
pub const TRACE_FIELD: &str = "X-Staffetta-Trace";

/// What the header lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lacks {
    /// There is no `Date`.
    pub date: bool,
    /// There is no `Message-ID`.
    pub message_id: bool,
    /// There is no header at all: the text starts at once, without an empty line.
    pub separator: bool,
}

impl Policy {
    /// Judges a header block: loops, and on submission the authors (every one must belong to the account).
    ///
    /// # Errors
    /// The refusal.
    pub async fn header(&self, block: &[u8], account: Option<&Account>) -> Result<Lacks, Refusal> {
        if count_received(block) > self.config.body.hops {
            let text = format!("routing loop: more than {} Received fields", self.config.body.hops);
            return Err(Refusal::new("loop", 554, EnhancedCode(5, 4, 6), text));
        }
        let separator = fields(block).next().is_some_and(|field| field.name.is_empty());
        let Some(account) = account else { return Ok(Lacks { separator, ..Lacks::default() }) };
        self.authors(block, account).await?;
        Ok(Lacks { date: !has_field(block, "date"), message_id: !has_field(block, "message-id"), separator })
    }

    async fn authors(&self, block: &[u8], account: &Account) -> Result<(), Refusal> {
        let authors = header_from_addresses(block).map_err(|error| {
            let reason = if error == FromError::Missing { "from_missing" } else { "from_malformed" };
            Refusal::new(reason, 554, EnhancedCode(5, 6, 0), error.to_string())
        })?;
        if authors.len() > MAX_AUTHORS {
            let text = format!("more than {MAX_AUTHORS} addresses in From");
            return Err(Refusal::new("from_malformed", 554, EnhancedCode(5, 6, 0), text));
        }
        for author in &authors {
            if !self.may_send_as(account.id, author).await? {
                let text = format!("header From: <{author}> does not belong to {}", account.address);
                return Err(Refusal::new("from_not_owned", 550, EnhancedCode(5, 7, 1), text));
            }
        }
        Ok(())
    }
}

/// The `traceparent` of the header's trace field, if it has a well-formed one.
#[must_use]
pub fn traceparent(block: &[u8]) -> Option<String> {
    let value = String::from_utf8(first(block, TRACE_FIELD)?).ok()?;
    is_traceparent(&value).then_some(value)
}

/// `version "-" trace-id "-" parent-id "-" trace-flags` in lower-case hexadecimal, ids not zero (W3C Trace Context 3.2.2).
fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-');
    let mut part = |length: usize| {
        parts.next().filter(|part| {
            part.len() == length && part.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let not_zero = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|octet| octet != b'0'));
    part(2) == Some("00")
        && not_zero(part(32))
        && not_zero(part(16))
        && part(2).is_some()
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_field_is_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(
            traceparent(format!("X-Staffetta-Trace: {good}\r\n\r\n").as_bytes()).as_deref(),
            Some(good)
        );
        for bad in [
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "",
        ] {
            assert_eq!(traceparent(format!("X-Staffetta-Trace: {bad}\r\n").as_bytes()), None, "{bad}");
        }
    }
}
