//! What one subject has sent in the last day: pure.
//!
//! Time is cut into minutes and hours of the clock. The hour window holds the current minute and the sixty before it, the
//! day window the current hour and the twenty-four before it. So no hour and no day ever sees more than its limit, and a
//! charge is forgotten at most one minute (one hour) later than it could be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use staffetta_directory_api::SendingBudget;

const HOUR: u32 = 60;
const HOURS_OF_DAY: u32 = 24;

/// Octets of one stored bucket.
const STORED: usize = 12;

/// Minutes since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minute(u32);

/// Counts by minute for the last hour, by hour before that; in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    minute: u32,
    messages: u32,
    recipients: u32,
}

/// A limit that a charge would exceed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// E.g. `100 messages per hour`.
    pub(super) limit: String,
    pub(super) retry_after: Duration,
}

impl Minute {
    pub(super) fn of(time: SystemTime) -> Self {
        let minutes = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
        Self(u32::try_from(minutes).unwrap_or(u32::MAX))
    }

    fn hour(self) -> u32 {
        self.0 / HOUR
    }

    fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::from(self.0) * 60)
    }
}

impl Bucket {
    fn at(&self) -> Minute {
        Minute(self.minute)
    }

    /// The first minute whose hour window does not hold this bucket.
    fn leaves_hour(&self) -> Minute {
        Minute(self.minute.saturating_add(HOUR + 1))
    }

    /// The first minute whose day window does not hold this bucket.
    fn leaves_day(&self) -> Minute {
        Minute((self.at().hour().saturating_add(HOURS_OF_DAY + 1)).saturating_mul(HOUR))
    }
}

impl Usage {
    /// From the octets of [`Usage::encode`]; whatever else they are is no usage.
    pub(super) fn decode(octets: &[u8]) -> Self {
        let number = |octets: &[u8]| octets.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let bucket = |octets: &[u8]| Bucket {
            minute: number(&octets[..4]),
            messages: number(&octets[4..8]),
            recipients: number(&octets[8..]),
        };
        Self { buckets: octets.chunks_exact(STORED).map(bucket).collect() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers =
            self.buckets.iter().flat_map(|bucket| [bucket.minute, bucket.messages, bucket.recipients]);
        numbers.flat_map(u32::to_le_bytes).collect()
    }

    /// Whether one message more with `recipients` exceeds `budget` at `now`: the limit that lasts longest.
    pub(super) fn excess(&self, budget: &SendingBudget, recipients: u32, now: SystemTime) -> Option<Excess> {
        let messages = |bucket: &Bucket| bucket.messages;
        let by_recipient = |bucket: &Bucket| bucket.recipients;
        let limits = [
            self.over(budget.messages_per_hour, 1, messages, Bucket::leaves_hour, now, "messages per hour"),
            self.over(budget.messages_per_day, 1, messages, Bucket::leaves_day, now, "messages per day"),
            self.over(
                budget.recipients_per_hour,
                recipients,
                by_recipient,
                Bucket::leaves_hour,
                now,
                "recipients per hour",
            ),
            self.over(
                budget.recipients_per_day,
                recipients,
                by_recipient,
                Bucket::leaves_day,
                now,
                "recipients per day",
            ),
        ];
        limits.into_iter().flatten().max_by_key(|excess| excess.retry_after)
    }

    fn over(
        &self,
        limit: u32,
        cost: u32,
        count: fn(&Bucket) -> u32,
        leaves: fn(&Bucket) -> Minute,
        now: SystemTime,
        what: &str,
    ) -> Option<Excess> {
        let inside: Vec<&Bucket> =
            self.buckets.iter().filter(|bucket| leaves(bucket) > Minute::of(now)).collect();
        let mut used: u64 = inside.iter().map(|bucket| u64::from(count(bucket))).sum();
        let fits = |used: u64| limit == 0 || used + u64::from(cost) <= u64::from(limit);
        if fits(used) {
            return None;
        }
        // The oldest leave first; a charge that fits no window at all may come back when all have left.
        let mut free_at = Minute::of(now);
        for bucket in inside {
            used -= u64::from(count(bucket));
            free_at = leaves(bucket);
            if fits(used) {
                break;
            }
        }
        let left = free_at.start().duration_since(now).unwrap_or_default();
        Some(Excess { limit: format!("{limit} {what}"), retry_after: left.max(Duration::from_secs(1)) })
    }

    /// Adds one message with `recipients`.
    pub(super) fn add(&mut self, recipients: u32, now: SystemTime) {
        let minute = Minute::of(now).0;
        let at = self.buckets.partition_point(|bucket| bucket.minute < minute);
        if self.buckets.get(at).is_none_or(|bucket| bucket.minute != minute) {
            self.buckets.insert(at, Bucket { minute, messages: 0, recipients: 0 });
        }
        let bucket = &mut self.buckets[at];
        bucket.messages = bucket.messages.saturating_add(1);
        bucket.recipients = bucket.recipients.saturating_add(recipients);
    }

    /// Takes one message with `recipients` back that was added at `charged_at`.
    pub(super) fn take_back(&mut self, recipients: u32, charged_at: SystemTime) {
        let charged = Minute::of(charged_at);
        // It may have been merged into a later bucket of its hour.
        let holder = self
            .buckets
            .iter_mut()
            .find(|bucket| bucket.at() >= charged && bucket.at().hour() == charged.hour());
        if let Some(bucket) = holder {
            bucket.messages = bucket.messages.saturating_sub(1);
            bucket.recipients = bucket.recipients.saturating_sub(recipients);
        }
    }

    /// Drops what no window holds any more and merges what only the day window holds.
    pub(super) fn compact(&mut self, now: SystemTime) {
        let now = Minute::of(now);
        let mut kept: Vec<Bucket> = Vec::with_capacity(self.buckets.len());
        for bucket in self.buckets.drain(..) {
            if bucket.leaves_day() <= now || bucket.messages == 0 {
                continue;
            }
            match kept.last_mut() {
                Some(last) if bucket.leaves_hour() <= now && last.at().hour() == bucket.at().hour() => {
                    last.minute = bucket.minute;
                    last.messages = last.messages.saturating_add(bucket.messages);
                    last.recipients = last.recipients.saturating_add(bucket.recipients);
                }
                _ => kept.push(bucket),
            }
        }
        self.buckets = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: SendingBudget = SendingBudget {
        messages_per_hour: 10,
        messages_per_day: 25,
        recipients_per_hour: 0,
        recipients_per_day: 0,
    };

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    /// Sends as often as the budget lets it and checks every real hour and day against the limits.
    #[test]
    fn no_hour_and_no_day_sees_more_than_its_limit() {
        let mut usage = Usage::default();
        let mut sent: Vec<u64> = Vec::new();
        let mut now = 0;
        let mut step = 7;
        while now < 4 * 86_400 {
            step = (step * 1_103_515_245 + 12_345) % 2_147_483_648;
            now += step % 400;
            usage.compact(at(now));
            if usage.excess(&BUDGET, 1, at(now)).is_some() {
                continue;
            }
            usage.add(1, at(now));
            sent.push(now);
            usage = Usage::decode(&usage.encode());
            let within = |window: u64| sent.iter().filter(|time| **time + window > now).count();
            assert!(within(3_600) <= 10 && within(86_400) <= 25, "at {now}");
        }
        assert!(sent.len() >= 25 * 3, "the budget is usable: {}", sent.len());
    }

    #[test]
    fn charge_fits_again_after_the_time_it_was_told() {
        let mut usage = Usage::default();
        for second in 0..10 {
            usage.add(1, at(second * 60 + 30));
        }
        let excess = usage.excess(&BUDGET, 1, at(1_000)).unwrap();
        assert_eq!(excess.limit, "10 messages per hour");
        let again = at(1_000) + excess.retry_after;
        assert!(usage.excess(&BUDGET, 1, again - Duration::from_secs(1)).is_some());
        assert_eq!(usage.excess(&BUDGET, 1, again), None);
    }

    #[test]
    fn usage_stays_small_and_compaction_changes_no_answer() {
        let unlimited_hour = SendingBudget { messages_per_hour: 0, messages_per_day: 3_000, ..BUDGET };
        let mut plain = Usage::default();
        let mut compacted = Usage::default();
        for minute in 0..3 * 1_440 {
            plain.add(2, at(minute * 60));
            compacted.add(2, at(minute * 60));
            compacted.compact(at(minute * 60));
            assert!(compacted.encode().len() <= 90 * STORED);
            if minute % 97 == 0 {
                let asked = at(minute * 60);
                for budget in [&BUDGET, &unlimited_hour] {
                    assert_eq!(
                        plain.excess(budget, 1, asked),
                        compacted.excess(budget, 1, asked),
                        "minute {minute}"
                    );
                }
            }
        }
    }

    #[test]
    fn charge_is_taken_back_also_after_it_was_merged() {
        let mut usage = Usage::default();
        usage.add(5, at(0));
        usage.add(7, at(60));
        usage.compact(at(2 * 3_600));
        assert_eq!(usage.buckets.len(), 1);
        usage.take_back(5, at(0));
        assert_eq!((usage.buckets[0].messages, usage.buckets[0].recipients), (1, 7));
        // One that is forgotten, or never was, changes nothing.
        usage.take_back(9, at(86_400 * 3));
        assert_eq!((usage.buckets[0].messages, usage.buckets[0].recipients), (1, 7));
    }

    #[test]
    fn hostile_numbers_and_octets_do_not_overflow() {
        let mut usage = Usage::decode(&[0xff; 31]);
        assert_eq!(usage.buckets.len(), 2);
        usage.add(u32::MAX, at(0));
        usage.add(u32::MAX, at(0));
        let tight = SendingBudget { recipients_per_hour: 1, ..BUDGET };
        assert!(usage.excess(&tight, u32::MAX, at(0)).is_some());
        usage.compact(at(1));
        usage.take_back(u32::MAX, at(0));
    }
}
