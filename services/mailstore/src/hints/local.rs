//! Hints inside one process: one mailstore pod, or tests and the local platform.

use async_stream::stream;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Hint, HintEvent, Hints};

/// Hints a slow subscriber may be behind before it is told that it lost some.
const BACKLOG: usize = 4_096;

/// A broadcast channel. Clones share it.
#[derive(Debug, Clone)]
pub struct LocalHints {
    sender: broadcast::Sender<HintEvent>,
}

impl Default for LocalHints {
    fn default() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0 }
    }
}

impl LocalHints {
    /// Tells subscribers that hints may have been lost.
    pub(super) fn lost(&self) {
        let _ = self.sender.send(HintEvent::Lost);
    }
}

impl Hints for LocalHints {
    fn publish(&self, hints: &[Hint]) {
        for hint in hints {
            // Nobody listening is no error.
            let _ = self.sender.send(HintEvent::Hint(*hint));
        }
    }

    fn subscribe(&self) -> BoxStream<'static, HintEvent> {
        let mut receiver = self.sender.subscribe();
        let events = stream! {
            loop {
                match receiver.recv().await {
                    Ok(event) => yield event,
                    Err(RecvError::Lagged(_)) => yield HintEvent::Lost,
                    Err(RecvError::Closed) => break,
                }
            }
        };
        events.boxed()
    }
}
