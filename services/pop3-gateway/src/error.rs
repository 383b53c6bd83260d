//! What a client is told when something behind the gateway refuses or fails.

use staffetta_directory_api::DirectoryError;
use staffetta_mailstore_api::MailstoreError;

use crate::wire::{Code, Reply};

/// A login that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFailure {
    /// One of a fixed set of words: the label in metrics.
    pub result: &'static str,
    /// What the client is told.
    pub reply: Reply,
}

impl LoginFailure {
    /// A failure with its answer.
    pub(crate) fn new(result: &'static str, reply: Reply) -> Self {
        Self { result, reply }
    }

    /// Something is away; the credentials may be good (RFC 3206 4: not `[AUTH]`).
    pub(crate) fn away() -> Self {
        Self::new("away", Reply::coded(Code::SysTemp, "temporarily unavailable, try again later"))
    }
}

impl From<DirectoryError> for LoginFailure {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::AuthenticationFailed => {
                Self::new("failed", Reply::coded(Code::Auth, "authentication failed"))
            }
            DirectoryError::NotAllowed { reason } => {
                Self::new("not_allowed", Reply::coded(Code::Auth, reason))
            }
            DirectoryError::LockedOut { retry_after } => {
                let wait = retry_after.as_secs().max(1);
                let text = format!("too many failed logins, try again in {wait} s");
                Self::new("locked_out", Reply::coded(Code::LoginDelay, text))
            }
            error => {
                tracing::warn!(%error, "directory call failed at login");
                Self::away()
            }
        }
    }
}

impl From<MailstoreError> for LoginFailure {
    fn from(error: MailstoreError) -> Self {
        if error == MailstoreError::MaildropInUse {
            return Self::new("in_use", Reply::coded(Code::InUse, "maildrop is in use by another session"));
        }
        tracing::warn!(%error, "maildrop not opened");
        Self::away()
    }
}

/// The answer to a command whose storage call failed.
pub(crate) fn storage_refusal(error: &MailstoreError, command: &'static str) -> Reply {
    if matches!(error, MailstoreError::MessageVanished) {
        return Reply::err("message was removed by another session");
    }
    tracing::warn!(%error, command, "storage call failed");
    Reply::coded(Code::SysTemp, "temporarily unavailable, try again later")
}
