//! From the database's errors to the port's.

use staffetta_chassis::postgres::{TxError, is_unavailable};
use staffetta_directory_api::DirectoryError;

/// The error of a transaction that may also end by a refusal.
pub(crate) type Failure = TxError<DirectoryError>;

/// What a caller learns of a database error.
pub(crate) fn database(error: &sqlx::Error) -> DirectoryError {
    if is_unavailable(error) {
        return DirectoryError::Unavailable { message: error.to_string() };
    }
    tracing::error!(%error, "statement failed");
    DirectoryError::Internal { message: error.to_string() }
}

/// What a caller learns of a failed transaction.
pub(crate) fn transaction(failure: Failure) -> DirectoryError {
    match failure {
        TxError::Domain(refusal) => refusal,
        TxError::Database(error) => database(&error),
    }
}

/// Ends a transaction by a refusal.
pub(crate) fn refuse<T>(refusal: DirectoryError) -> Result<T, Failure> {
    Err(TxError::Domain(refusal))
}

/// A stored value that this program never writes.
pub(crate) fn corrupt(what: &str, value: impl std::fmt::Display) -> DirectoryError {
    DirectoryError::Internal { message: format!("{what} {value} in the database is not valid") }
}
