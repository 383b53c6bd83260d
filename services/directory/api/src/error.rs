//! What can go wrong between a caller and directory, by what the caller does about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A refusal or failure of directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DirectoryError {
    /// Login or password is wrong; which of them is never told (`535 5.7.8`, `[AUTHENTICATIONFAILED]`, `[AUTH]`).
    #[error("authentication failed")]
    AuthenticationFailed,
    /// The account exists and the password is right, but it may not use this service (disabled, wrong scope).
    #[error("account is not allowed to use this service: {reason}")]
    NotAllowed {
        /// Text that is safe to show to the user.
        reason: String,
    },
    /// Too many failures from this (login, address) pair or this address; try again later.
    #[error("too many failed logins, try again in {} s", .retry_after.as_secs())]
    LockedOut {
        /// How long the lock still lasts.
        retry_after: Duration,
    },
    /// The session handle does not exist any more: disabled, password changed, revoked, or never issued.
    #[error("session has ended")]
    SessionEnded,
    /// What the call names does not exist.
    #[error("{what} does not exist")]
    NotFound {
        /// The thing in words, e.g. `account alice@north.test`.
        what: String,
    },
    /// What the call would create exists already.
    #[error("{what} exists already")]
    AlreadyExists {
        /// The thing in words.
        what: String,
    },
    /// The request can never succeed as it is.
    #[error("{message}")]
    Invalid {
        /// What is wrong and how to mend it.
        message: String,
    },
    /// The state of the thing forbids the call (e.g. a domain that still has accounts).
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
    },
    /// The caller's workload may not make this call.
    #[error("{message}")]
    PermissionDenied {
        /// Who asked for what.
        message: String,
    },
    /// Directory or something it needs is away; the same call may succeed later.
    #[error("directory is unavailable: {message}")]
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
