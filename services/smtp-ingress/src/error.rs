//! Refusals: what the peer is told, and what metrics and logs call it.

use std::time::Duration;

use staffetta_directory_api::DirectoryError;
use staffetta_smtp::reply::{EnhancedCode, Reply};

/// A refusal of a command or a message. The reply is safe to show; details are logged where it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of a fixed set of words: the label in metrics.
    pub reason: &'static str,
    /// What the peer is told.
    pub reply: Reply,
}

impl Refusal {
    /// A refusal with its reply.
    #[must_use]
    pub fn new(reason: &'static str, code: u16, enhanced: EnhancedCode, text: impl Into<String>) -> Self {
        Self { reason, reply: Reply::new(code, enhanced, text.into()) }
    }

    /// `451 4.3.0`: something behind us is away; the peer keeps the mail (DESIGN law 1).
    #[must_use]
    pub fn away() -> Self {
        Self::new("away", 451, EnhancedCode(4, 3, 0), "temporarily unavailable, try again later")
    }

    /// Logs a failure of directory and turns it into a temporary refusal.
    #[must_use]
    pub fn directory(error: &DirectoryError, doing: &'static str) -> Self {
        tracing::warn!(%error, doing, "directory call failed");
        Self::away()
    }
}

/// When to come back, in words; rounded up, so that whoever obeys is not refused again.
#[must_use]
pub fn come_back(after: Duration) -> String {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    match seconds.max(1) {
        seconds @ 0..120 => format!("try again in {seconds} s"),
        seconds @ 120..7_200 => format!("try again in {} min", seconds.div_ceil(60)),
        seconds => format!("try again in {} h", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(come_back(Duration::ZERO), "try again in 1 s");
        assert_eq!(come_back(Duration::from_millis(1_001)), "try again in 2 s");
        assert_eq!(come_back(Duration::from_secs(121)), "try again in 3 min");
        assert_eq!(come_back(Duration::from_secs(7_201)), "try again in 3 h");
    }
}
