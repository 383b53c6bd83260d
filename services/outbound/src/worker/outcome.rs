//! What follows from the results of an attempt: the next one, bounces, delay notices. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_outbound_api::{ClaimedDelivery, RecipientResult, Verdict};

use crate::config::RetryConfig;

/// How many steps of the local backoff the pause of a destination here grows: 8 s with the defaults.
const MAX_LOCAL_PAUSE: u32 = 3;

/// How an attempt went, apart from its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To accounts here.
    Local,
    /// To another server, which was reached.
    Remote,
    /// To other servers, none of which was reached.
    Unreachable,
}

/// What follows.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The results; those deferred beyond the message's life have become failures.
    pub results: Vec<RecipientResult>,
    /// Time to the next attempt.
    pub retry_after: Duration,
    /// How long the destination is left alone.
    pub suspend: Option<Duration>,
    /// Whether the failures are reported to the sender.
    pub bounce: bool,
    /// Whether the delays are reported to the sender.
    pub delay_notice: bool,
}

/// Decides. `random` is between 0 and 1.
#[must_use]
pub fn plan(
    delivery: &ClaimedDelivery,
    results: Vec<RecipientResult>,
    way: Way,
    retry: &RetryConfig,
    now: DateTime<Utc>,
    random: f64,
) -> Plan {
    let expired = now >= delivery.expires_at;
    let results: Vec<RecipientResult> =
        results.into_iter().map(|result| if expired { expire(result) } else { result }).collect();
    let any = |verdict| results.iter().any(|result| result.verdict == verdict);
    let age = (now - delivery.received_at).to_std().unwrap_or_default();
    // Nobody is told about mail from the null sender: that would answer a notice with a notice (RFC 5321 4.5.5).
    let has_sender = delivery.sender.is_some();
    let own_trouble = way == Way::Local && is_own_trouble(&results);
    let backoff = if own_trouble { &retry.local } else { &retry.remote };
    // One attempt is made when the life ends, or mail that came just after the last one would never be tried again.
    let left = (delivery.expires_at - now).to_std().unwrap_or_default();
    Plan {
        retry_after: backoff.delay_with(delivery.attempts, random).min(left),
        suspend: match way {
            Way::Unreachable if any(Verdict::Deferred) => Some(retry.pause),
            // A backlog must not knock all at once, nor wait long once we are back.
            Way::Local if own_trouble => {
                Some(retry.local.delay_with(delivery.attempts.min(MAX_LOCAL_PAUSE), random))
            }
            Way::Local | Way::Remote | Way::Unreachable => None,
        },
        bounce: has_sender && any(Verdict::Failed),
        delay_notice: has_sender
            && !delivery.delay_notified
            && any(Verdict::Deferred)
            && age >= retry.delay_notice,
        results,
    }
}

/// Whether all that is deferred is so because a service of ours is away (4.3.x), not because of the mailbox.
fn is_own_trouble(results: &[RecipientResult]) -> bool {
    let mut deferred = results.iter().filter(|result| result.verdict == Verdict::Deferred).peekable();
    deferred.peek().is_some() && deferred.all(|result| result.reply.enhanced.starts_with("4.3."))
}

fn expire(mut result: RecipientResult) -> RecipientResult {
    if result.verdict == Verdict::Deferred {
        result.verdict = Verdict::Failed;
        result.reply.enhanced = "5.4.7".to_owned();
        result.reply.text = format!("delivery time expired; last answer: {}", result.reply.text);
    }
    result
}

#[cfg(test)]
mod tests {
    use staffetta_message::address::{Address, Domain};
    use staffetta_outbound_api::{Destination, Lease, RecipientId, RemoteReply, TransactionId};
    use uuid::Uuid;

    use super::*;

    const HOUR: u64 = 3_600;

    fn at(hours: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + (hours * HOUR).cast_signed(), 0).unwrap()
    }

    fn delivery(sender: Option<&str>) -> ClaimedDelivery {
        ClaimedDelivery {
            lease: Lease { delivery: Uuid::nil(), token: 1 },
            transaction: TransactionId(Uuid::nil()),
            sender: sender.map(|text| Address::parse(text).unwrap()),
            destination: Destination { domain: Domain::parse("south.test").unwrap() },
            recipients: Vec::new(),
            eight_bit: false,
            size: 1,
            received_at: at(0),
            expires_at: at(120),
            attempts: 0,
            delay_notified: false,
            traceparent: None,
        }
    }

    fn result(verdict: Verdict) -> RecipientResult {
        let reply = RemoteReply {
            host: Some("mx".to_owned()),
            code: Some(451),
            enhanced: "4.3.0".to_owned(),
            text: "later".to_owned(),
        };
        RecipientResult { recipient: RecipientId(0), verdict, reply }
    }

    fn decide(delivery: &ClaimedDelivery, verdict: Verdict, way: Way, hours: u64) -> Plan {
        plan(delivery, vec![result(verdict)], way, &RetryConfig::default(), at(hours), 0.5)
    }

    #[test]
    fn waits_grow_with_attempts_up_to_the_maximum() {
        let mut delivery = delivery(Some("a@north.test"));
        let mut waits = Vec::new();
        for attempts in [0, 1, 2, 3, 20] {
            delivery.attempts = attempts;
            waits.push(decide(&delivery, Verdict::Deferred, Way::Remote, 1).retry_after.as_secs());
        }
        assert_eq!(waits, [60, 150, 375, 937, 4 * HOUR]);
        delivery.attempts = 0;
        assert_eq!(decide(&delivery, Verdict::Deferred, Way::Local, 1).retry_after.as_secs(), 1);
    }

    #[test]
    fn full_mailbox_is_not_knocked_at_every_minute() {
        let delivery = delivery(Some("a@north.test"));
        let mut full = result(Verdict::Deferred);
        full.reply.enhanced = "4.2.2".to_owned();
        let plan = plan(&delivery, vec![full], Way::Local, &RetryConfig::default(), at(1), 0.5);
        assert_eq!((plan.retry_after.as_secs(), plan.suspend), (60, None));
    }

    #[test]
    fn last_attempt_is_made_when_the_life_ends() {
        let delivery = ClaimedDelivery { attempts: 20, ..delivery(Some("a@north.test")) };
        let before = decide(&delivery, Verdict::Deferred, Way::Remote, 119);
        assert_eq!((before.retry_after.as_secs(), before.bounce), (HOUR, false));
        let after = decide(&delivery, Verdict::Deferred, Way::Remote, 120);
        assert!(after.bounce && !after.delay_notice);
        assert_eq!(after.results[0].verdict, Verdict::Failed);
        assert_eq!(after.results[0].reply.enhanced, "5.4.7");
        assert!(after.results[0].reply.text.ends_with("later"));
        let delivered = decide(&delivery, Verdict::Delivered, Way::Remote, 120);
        assert_eq!(delivered.results[0].verdict, Verdict::Delivered);
    }

    #[test]
    fn null_sender_is_told_nothing() {
        let delivery = delivery(None);
        assert!(!decide(&delivery, Verdict::Failed, Way::Remote, 1).bounce);
        assert!(!decide(&delivery, Verdict::Deferred, Way::Remote, 10).delay_notice);
    }

    #[test]
    fn delay_is_told_once_and_late() {
        let mut delivery = delivery(Some("a@north.test"));
        assert!(!decide(&delivery, Verdict::Deferred, Way::Remote, 3).delay_notice);
        assert!(decide(&delivery, Verdict::Deferred, Way::Remote, 4).delay_notice);
        assert!(!decide(&delivery, Verdict::Delivered, Way::Remote, 4).delay_notice);
        delivery.delay_notified = true;
        assert!(!decide(&delivery, Verdict::Deferred, Way::Remote, 5).delay_notice);
    }

    #[test]
    fn only_a_destination_nobody_answers_for_is_left_alone() {
        let delivery = delivery(Some("a@north.test"));
        assert!(decide(&delivery, Verdict::Deferred, Way::Unreachable, 1).suspend.is_some());
        assert!(decide(&delivery, Verdict::Deferred, Way::Remote, 1).suspend.is_none());
        assert!(decide(&delivery, Verdict::Failed, Way::Unreachable, 1).suspend.is_none());
        let away = decide(&delivery, Verdict::Deferred, Way::Local, 1).suspend;
        assert_eq!(away, Some(Duration::from_secs(1)), "ours comes back soon");
    }
}
