//! What an error of the database means to the caller.

use sqlx::Error;

/// The name of the constraint that a statement violated: unique, foreign key, check, exclusion.
pub fn violated_constraint(error: &Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Whether the database could not be reached or would not work now: try again later.
pub fn is_unavailable(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
        Error::Database(error) => error.code().is_some_and(|code| {
            // Connection, insufficient resources, operator intervention, read-only after a failover.
            ["08", "53", "57"].iter().any(|class| code.starts_with(class)) || code == "25006"
        }),
        _ => false,
    }
}

/// Postgres rolled the transaction back and says that it may succeed when repeated.
pub(super) fn repeatable(error: &Error) -> Option<&'static str> {
    match error.as_database_error()?.code()?.as_ref() {
        "40001" => Some("serialization"),
        "40P01" => Some("deadlock"),
        _ => None,
    }
}
