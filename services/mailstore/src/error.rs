//! From what our tools say to what our callers do about it.

use staffetta_mailstore_api::MailstoreError;
use staffetta_packs::{StoreError, StoreErrorKind, SubmitError};

/// SQLSTATE classes that pass: connection, resources, operator intervention, rollback; and lock not available.
const PASSING: [&str; 4] = ["08", "53", "57", "40"];
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// A failed statement. Its outcome may be unknown: safe, as every write carries a key.
pub(crate) fn database(error: &sqlx::Error) -> MailstoreError {
    let message = error.to_string();
    let passing = match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code == LOCK_NOT_AVAILABLE || PASSING.iter().any(|class| code.starts_with(class))
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    };
    if passing { MailstoreError::Unavailable { message } } else { MailstoreError::Internal { message } }
}

/// A body that could not be read or written.
pub(crate) fn store(error: &StoreError) -> MailstoreError {
    let message = describe(error);
    match error.kind() {
        // A missing pack is damage: a committed body has one.
        StoreErrorKind::Corrupt | StoreErrorKind::NotFound => MailstoreError::Corrupt { message },
        StoreErrorKind::Unavailable | StoreErrorKind::Refused | StoreErrorKind::AlreadyExists => {
            MailstoreError::Unavailable { message }
        }
    }
}

/// A submission that was not acknowledged.
pub(crate) fn submit(error: SubmitError<MailstoreError>) -> MailstoreError {
    match error {
        SubmitError::Commit(error) => error,
        SubmitError::Store(error) => store(&error),
        error @ (SubmitError::Body(_) | SubmitError::Stale | SubmitError::Closed) => unavailable(&error),
    }
}

pub(crate) fn unavailable(error: &dyn std::error::Error) -> MailstoreError {
    MailstoreError::Unavailable { message: describe(error) }
}

pub(crate) fn internal(message: impl Into<String>) -> MailstoreError {
    MailstoreError::Internal { message: message.into() }
}

pub(crate) fn cannot(message: &str) -> MailstoreError {
    MailstoreError::Cannot { message: message.to_owned() }
}

pub(crate) fn limit(message: String) -> MailstoreError {
    MailstoreError::Limit { message }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
