//! Waiting for what must become true, by looking again and again.

use std::time::Duration;

use anyhow::Context as _;

const PAUSE: Duration = Duration::from_millis(25);

/// Tries until it succeeds and answers that; the last failure is told when the time is over.
///
/// # Errors
/// It did not succeed in time.
pub async fn is_ok<T>(
    what: &str,
    within: Duration,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = tokio::time::Instant::now() + within;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("not in {within:?}: {what}"));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
