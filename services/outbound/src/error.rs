//! Errors of storage, as the queue's callers get them.

use std::fmt::Display;

use staffetta_chassis::postgres::{is_unavailable, violated_constraint};
use staffetta_outbound_api::QueueError;
use staffetta_packs::{StoreError, SubmitError};

/// A failed statement. What is not clearly our own mistake may pass: an unknown outcome is safe to repeat.
#[must_use]
pub fn database(error: sqlx::Error) -> QueueError {
    let message = error.to_string();
    if is_culprit(&error) { QueueError::Internal { message } } else { QueueError::Unavailable { message } }
}

/// Whether the statement itself is at fault, so that repeating it is of no use. A destination that was pruned in the same
/// instant violates a foreign key once.
#[must_use]
pub fn is_culprit(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => {
            !is_unavailable(error) && {
                let foreign_key = refusal.is_foreign_key_violation() && violated_constraint(error).is_some();
                let rolled_back = refusal.code().is_some_and(|code| code.starts_with("40"));
                !foreign_key && !rolled_back
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// A row that this version cannot have written.
#[must_use]
pub fn damaged(what: &str, value: &str) -> QueueError {
    QueueError::Internal { message: format!("stored {what} {value:?} is malformed") }
}

/// A failed read of object storage.
#[must_use]
pub fn storage(error: &StoreError) -> QueueError {
    if error.is_temporary() {
        QueueError::Unavailable { message: error.to_string() }
    } else {
        QueueError::Internal { message: error.to_string() }
    }
}

/// No room, or no disk, for a body.
#[must_use]
pub fn spool(error: &dyn Display) -> QueueError {
    QueueError::Unavailable { message: error.to_string() }
}

/// A failed group commit: nothing was acknowledged.
#[must_use]
pub fn submit(error: SubmitError<QueueError>) -> QueueError {
    match error {
        SubmitError::Commit(error) => error,
        SubmitError::Store(error) => QueueError::Unavailable { message: error.to_string() },
        SubmitError::Body(error) => QueueError::Unavailable { message: error.to_string() },
        SubmitError::Stale | SubmitError::Closed => QueueError::Unavailable { message: error.to_string() },
    }
}
