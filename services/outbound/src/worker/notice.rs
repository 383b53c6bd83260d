//! Bounces and delay notices, as messages to the sender.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use staffetta_chassis::spool::Spooled;
use staffetta_message::address::{Address, AddressError, Domain};
use staffetta_message::dsn::{self, Action, Diagnostic, Original, RecipientReport, Report};
use staffetta_outbound_api::{ClaimedDelivery, Notice, RecipientResult, RemoteReply, TransactionId, Verdict};
use uuid::Uuid;

use super::outcome::Plan;

/// How much of a header block is returned at most.
const MAX_HEADERS: usize = 64 * 1024;

/// Writes notices in the name of one host.
#[derive(Clone, Debug)]
pub struct Notices {
    host: Domain,
    author: Address,
}

impl Notices {
    /// Notices of `host`, by `author` (default `MAILER-DAEMON`).
    ///
    /// # Errors
    /// The host's name is too long for an address.
    pub fn new(host: Domain, author: Option<Address>) -> Result<Self, AddressError> {
        let author = author.map_or_else(|| Address::new("MAILER-DAEMON", host.clone()), Ok)?;
        Ok(Self { host, author })
    }

    /// The notices that `plan` asks for; none for the null sender.
    pub async fn write(
        &self,
        delivery: &ClaimedDelivery,
        plan: &Plan,
        body: Option<&Spooled>,
        now: DateTime<Utc>,
    ) -> Vec<Notice> {
        let Some(sender) = delivery.sender.as_ref().filter(|_| plan.bounce || plan.delay_notice) else {
            return Vec::new();
        };
        let headers = match body {
            Some(body) => header_block(body).await,
            None => Vec::new(),
        };
        let delayed = Action::Delayed { until: delivery.expires_at.fixed_offset() };
        let wanted =
            [(plan.bounce, Verdict::Failed, Action::Failed), (plan.delay_notice, Verdict::Deferred, delayed)];
        wanted
            .into_iter()
            .filter(|(wanted, ..)| *wanted)
            .map(|(_, verdict, action)| self.notice(delivery, sender, plan, (verdict, action), &headers, now))
            .collect()
    }

    fn notice(
        &self,
        delivery: &ClaimedDelivery,
        sender: &Address,
        plan: &Plan,
        (verdict, action): (Verdict, Action),
        headers: &[u8],
        now: DateTime<Utc>,
    ) -> Notice {
        let queue_id = delivery.transaction.to_string();
        let concerned: Vec<(&Address, &RecipientResult)> = plan
            .results
            .iter()
            .filter(|result| result.verdict == verdict)
            .filter_map(|result| {
                let (_, address) = delivery.recipients.iter().find(|(id, _)| *id == result.recipient)?;
                Some((address, result))
            })
            .collect();
        let said: Vec<String> = concerned.iter().map(|(_, result)| diagnostic(&result.reply)).collect();
        let recipients = concerned
            .iter()
            .zip(&said)
            .map(|((address, result), said)| RecipientReport {
                recipient: address,
                original_recipient: None,
                action,
                status: &result.reply.enhanced,
                remote_mta: result.reply.host.as_deref(),
                diagnostic: Some(match result.reply.code {
                    Some(_) => Diagnostic::Smtp(said),
                    None => Diagnostic::Own(said),
                }),
                last_attempt: Some(now.fixed_offset()),
            })
            .collect();
        let id = Uuid::now_v7();
        let report = Report {
            reporting_mta: &self.host,
            from: &self.author,
            to: sender,
            envelope_id: None,
            queue_id: &queue_id,
            arrival: delivery.received_at.fixed_offset(),
            now: now.fixed_offset(),
            id,
            recipients,
            original: Original::Headers(headers),
        };
        Notice { transaction: TransactionId(id), recipient: sender.clone(), body: dsn::build(&report).into() }
    }
}

/// `550 5.1.1 no such user`, or our own words.
fn diagnostic(reply: &RemoteReply) -> String {
    match reply.code {
        Some(code) => format!("{code} {} {}", reply.enhanced, reply.text),
        None => reply.text.clone(),
    }
}

/// The message up to its first empty line. What cannot be read is left out: the notice matters more.
async fn header_block(body: &Spooled) -> Vec<u8> {
    let (mut block, mut chunks) = (Vec::new(), body.stream());
    while let Some(Ok(chunk)) = chunks.next().await {
        block.extend_from_slice(&chunk);
        if let Some(end) = memchr::memmem::find(&block, b"\r\n\r\n") {
            block.truncate(end + 2);
            break;
        }
        if block.len() > MAX_HEADERS {
            break;
        }
    }
    if block.len() > MAX_HEADERS {
        // Whole lines only.
        let end = memchr::memmem::rfind(&block[..MAX_HEADERS], b"\r\n").map_or(0, |end| end + 2);
        block.truncate(end);
    }
    block
}
