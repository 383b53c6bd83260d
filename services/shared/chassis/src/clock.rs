//! Time handed in: [`System`] in processes, [`Manual`] in tests.

use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// Where the time comes from. Wall clock for what is stored or shown, monotonic for what is measured.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Wall clock.
    fn now(&self) -> SystemTime;

    /// Monotonic clock, for durations and deadlines inside one process.
    fn instant(&self) -> Instant;

    /// Ends once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Wall clock as whole seconds since 1970 (0 before that).
    fn unix_seconds(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// Wall clock as milliseconds since 1970 (0 before that).
    fn unix_millis(&self) -> u64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The limit given to [`timeout`] passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("time limit passed")]
pub struct Elapsed;

/// `future`, or [`Elapsed`] once `limit` has passed on `clock`.
///
/// # Errors
/// [`Elapsed`] when the time ran out; the future is dropped.
pub async fn timeout<F: Future>(clock: &dyn Clock, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let sleep = clock.sleep(limit);
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = sleep => Err(Elapsed),
    }
}

/// The machine's clocks and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
impl Clock for System {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// A clock that stands still until [`Manual::advance`]; clones share the time.
#[derive(Debug, Clone)]
pub struct Manual {
    state: Arc<ManualState>,
}

#[derive(Debug)]
struct ManualState {
    start: SystemTime,
    origin: Instant,
    elapsed: Mutex<Duration>,
    moved: Notify,
}

impl Manual {
    /// A clock that shows `start`.
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other origin")]
    pub fn new(start: SystemTime) -> Self {
        let state = ManualState {
            start,
            origin: Instant::now(),
            elapsed: Mutex::new(Duration::ZERO),
            moved: Notify::new(),
        };
        Self { state: Arc::new(state) }
    }

    /// A clock that shows `seconds` since 1970.
    pub fn at_unix(seconds: u64) -> Self {
        Self::new(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Moves both clocks and wakes every sleeper whose time has come.
    pub fn advance(&self, duration: Duration) {
        *self.state.elapsed.lock().unwrap_or_else(PoisonError::into_inner) += duration;
        self.state.moved.notify_waiters();
    }
}

impl ManualState {
    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        self.state.start + self.state.elapsed()
    }

    fn instant(&self) -> Instant {
        self.state.origin + self.state.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let state = Arc::clone(&self.state);
        let until = state.elapsed() + duration;
        async move {
            loop {
                let moved = state.moved.notified();
                tokio::pin!(moved);
                // Enabled before the check, so an advance in between is not missed.
                moved.as_mut().enable();
                if state.elapsed() >= until {
                    return;
                }
                moved.await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manual_sleep_ends_only_after_the_clock_moved_far_enough() {
        let clock = Manual::at_unix(1_000);
        let mut sleep = clock.sleep(Duration::from_secs(10));
        clock.advance(Duration::from_secs(9));
        assert!(futures_util::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(1));
        assert!(futures_util::poll!(&mut sleep).is_ready());
        assert_eq!(clock.unix_seconds(), 1_010);
    }

    #[tokio::test]
    async fn timeout_prefers_a_finished_future() {
        let clock = Manual::at_unix(0);
        assert_eq!(timeout(&clock, Duration::ZERO, async { 7 }).await, Ok(7));
        let never = std::future::pending::<()>();
        assert_eq!(timeout(&clock, Duration::ZERO, never).await, Err(Elapsed));
    }
}
