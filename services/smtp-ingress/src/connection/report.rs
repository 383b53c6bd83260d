//! One line per message and hop, and the counters beside it.

use std::time::Duration;

use staffetta_smtp::reply::Reply;

use super::Driver;
use crate::accept::Taken;
use crate::error::Refusal;
use crate::session::Transaction;

/// Recipients that are named in the log line; the count tells of the others.
const MAX_LISTED: usize = 50;

impl Driver {
    /// The line that lets an operator follow a mail by its transaction id.
    pub(super) fn report(
        &self,
        transaction: &Transaction,
        size: u64,
        taken: &Result<Taken, Refusal>,
        elapsed: Duration,
        accepting: Duration,
    ) {
        let metrics = &self.server.metrics;
        metrics.accept_time(self.role, accepting);
        let (result, reply) = match taken {
            Ok(taken) => {
                metrics.accepted(self.role, taken.name(), size);
                (taken.name(), "250 2.0.0".to_owned())
            }
            Err(refusal) => {
                metrics.refused(self.role, "message", refusal.reason);
                (refusal.reason, refusal.reply.to_string())
            }
        };
        let recipients = transaction.recipients();
        let listed: Vec<String> =
            recipients.iter().take(MAX_LISTED).map(|recipient| recipient.address.to_string()).collect();
        let peer = self.session.peer();
        tracing::info!(
            transaction = %transaction.id(),
            role = self.role.name(),
            client = %self.peer.client.ip(),
            helo = peer.map_or("", |peer| peer.client.as_str()),
            tls = self.tls.as_deref().unwrap_or(""),
            account = self.session.account().map(|account| account.address.to_string()).unwrap_or_default(),
            sender = transaction.sender().map(ToString::to_string).unwrap_or_default(),
            recipients = listed.join(","),
            recipient_count = recipients.len(),
            size,
            accepted = taken.is_ok(),
            result,
            reply,
            elapsed_ms = millis(elapsed),
            accept_ms = millis(accepting),
            "message"
        );
    }

    /// Counts and logs a refusal of a command.
    pub(super) fn refused(&self, stage: &'static str, refusal: &Refusal) {
        self.server.metrics.refused(self.role, stage, refusal.reason);
        let transaction = self.session.transaction().map(|transaction| transaction.id().to_string());
        tracing::info!(
            transaction = transaction.as_deref().unwrap_or(""),
            role = self.role.name(),
            client = %self.peer.client.ip(),
            stage,
            reason = refusal.reason,
            reply = %refusal.reply,
            "refused"
        );
    }

    /// The reply of a refusal, reported.
    pub(super) fn reply_of<T>(&self, stage: &'static str, judged: Result<T, Refusal>) -> Result<T, Reply> {
        judged.map_err(|refusal| {
            self.refused(stage, &refusal);
            refusal.reply
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
