//! What can go wrong between a caller and the queue, by what the caller does about it.

use serde::{Deserialize, Serialize};

/// A refusal or failure of the queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QueueError {
    /// No such transaction in the queue (delivered, expired, cancelled, or never here).
    #[error("{what} is not in the queue")]
    NotFound {
        /// The transaction in words.
        what: String,
    },
    /// The lease expired or was taken over; nothing was written.
    #[error("delivery lease is lost")]
    LeaseLost,
    /// The request can never succeed as it is.
    #[error("{message}")]
    Invalid {
        /// What is wrong and how to mend it.
        message: String,
    },
    /// The caller's workload may not make this call.
    #[error("{message}")]
    PermissionDenied {
        /// Who asked for what.
        message: String,
    },
    /// The queue or something it needs is away, or the outcome is unknown; the same call may be repeated.
    #[error("queue is unavailable: {message}")]
    Unavailable {
        /// For the log, not for the user.
        message: String,
    },
    /// A defect on our side.
    #[error("internal error: {message}")]
    Internal {
        /// For the log, not for the user.
        message: String,
    },
}
