//! When a session says goodbye during a drain.

use std::time::{Duration, Instant};

use rand::Rng;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::drain::Draining;

/// A moment of its own for each session, within the spread after the drain began.
#[derive(Debug)]
pub(super) struct Goodbye {
    draining: Draining,
    delay: Duration,
    at: Option<Instant>,
}

impl Goodbye {
    /// Draws the moment.
    pub(super) fn new(draining: Draining, spread: Duration) -> Self {
        Self { draining, delay: spread.mul_f64(rand::rng().random_range(0.0..1.0)), at: None }
    }

    /// Ends when it is time: at once for a session that was busy when the drain began, since its share of the budget may be
    /// spent. May be dropped and called again without moving the moment.
    pub(super) async fn wait(&mut self, clock: &dyn Clock) {
        if self.draining.is_draining() {
            self.at.get_or_insert_with(|| clock.instant());
        }
        self.draining.draining().await;
        let now = clock.instant();
        let at = *self.at.get_or_insert(now + self.delay);
        clock.sleep(at.saturating_duration_since(now)).await;
    }
}
