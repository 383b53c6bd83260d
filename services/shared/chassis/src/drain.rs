//! The signal that a service takes no more work: one owner, many watchers.

use tokio_util::sync::CancellationToken;

/// The owner's side. Dropping it does not start the drain.
#[derive(Debug, Default)]
pub struct Drain {
    token: CancellationToken,
}

impl Drain {
    /// Not draining yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A watcher of this drain.
    pub fn watch(&self) -> Draining {
        Draining { token: self.token.clone() }
    }

    /// Tells every watcher; there is no way back.
    pub fn start(&self) {
        self.token.cancel();
    }
}

/// A clonable watcher.
#[derive(Debug, Clone)]
pub struct Draining {
    token: CancellationToken,
}

impl Draining {
    /// A watcher whose drain never starts.
    pub fn never() -> Self {
        Self { token: CancellationToken::new() }
    }

    /// Whether the drain has started.
    pub fn is_draining(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Ends when the drain starts, at once if it has.
    pub async fn draining(&self) {
        self.token.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watchers_see_the_start_early_and_late() {
        let drain = Drain::new();
        let watch = drain.watch();
        let waiting = tokio::spawn({
            let watch = watch.clone();
            async move { watch.draining().await }
        });
        assert!(!watch.is_draining());
        drain.start();
        waiting.await.unwrap();
        drain.watch().draining().await;
        assert!(watch.is_draining());
    }
}
