//! What ends a command early, and the exit code it ends with (`sysexits.h`).

use std::io;
use std::path::PathBuf;

use staffetta_directory_api::DirectoryError;
use staffetta_mailstore_api::MailstoreError;
use staffetta_outbound_api::QueueError;

/// Why a command failed; the text is for the person who typed it.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was given to the command (a file, a password) is refused.
    #[error("{0}")]
    Data(String),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    NoInput {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thing that the command names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A service is away, or something that it needs.
    #[error("{service} at {address} does not answer: {message}\n  {hint}")]
    Unavailable {
        /// Which service.
        service: String,
        /// Where it was looked for.
        address: String,
        /// What happened.
        message: String,
        /// What to check.
        hint: String,
    },
    /// `status` found services away.
    #[error("{0}")]
    Away(String),
    /// A defect of a service or of this command.
    #[error("{service} at {address} failed: {message}")]
    Internal {
        /// Which service.
        service: String,
        /// Where it is.
        address: String,
        /// What happened.
        message: String,
    },
    /// The thing exists already, or its state forbids the command.
    #[error("{0}")]
    CannotCreate(String),
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The service does not accept this administrator.
    #[error("{service} at {address} refuses this administrator: {message}\n  {hint}")]
    Denied {
        /// Which service.
        service: String,
        /// Where it is.
        address: String,
        /// What it said.
        message: String,
        /// What to check.
        hint: String,
    },
    /// The settings that say where the platform is cannot be used.
    #[error("{0}")]
    Config(String),
}

impl CtlError {
    /// The exit code, as `sysexits.h` numbers it.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Data(_) => 65,
            Self::NoInput { .. } => 66,
            Self::NotFound(_) => 67,
            Self::Unavailable { .. } | Self::Away(_) => 69,
            Self::Internal { .. } => 70,
            Self::CannotCreate(_) => 73,
            Self::Output(_) => 74,
            Self::Denied { .. } => 77,
            Self::Config(_) => 78,
        }
    }

    /// Whether going on with the next item would fail the same way.
    #[must_use]
    pub const fn concerns_the_service(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Denied { .. } | Self::Config(_))
    }
}

/// A port's error by what the command does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound(String),
    CannotCreate(String),
    Invalid(String),
    Denied(String),
    Unavailable(String),
    Internal(String),
}

impl From<DirectoryError> for Refusal {
    fn from(error: DirectoryError) -> Self {
        let text = error.to_string();
        match error {
            DirectoryError::NotFound { .. } => Self::NotFound(text),
            DirectoryError::AlreadyExists { .. } | DirectoryError::Conflict { .. } => {
                Self::CannotCreate(text)
            }
            DirectoryError::Invalid { .. } => Self::Invalid(text),
            DirectoryError::PermissionDenied { message } => Self::Denied(message),
            DirectoryError::AuthenticationFailed
            | DirectoryError::NotAllowed { .. }
            | DirectoryError::SessionEnded => Self::Denied(text),
            DirectoryError::Unavailable { message } => Self::Unavailable(message),
            DirectoryError::LockedOut { .. } => Self::Unavailable(text),
            DirectoryError::Internal { message } => Self::Internal(message),
        }
    }
}

impl From<MailstoreError> for Refusal {
    fn from(error: MailstoreError) -> Self {
        let text = error.to_string();
        match error {
            MailstoreError::AccessDenied { message } => Self::Denied(message),
            MailstoreError::Invalid { .. } => Self::Invalid(text),
            MailstoreError::Unavailable { message } => Self::Unavailable(message),
            _ => Self::Internal(text),
        }
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        let text = error.to_string();
        match error {
            QueueError::NotFound { .. } => Self::NotFound(text),
            QueueError::Invalid { .. } => Self::Invalid(text),
            QueueError::PermissionDenied { message } => Self::Denied(message),
            QueueError::Unavailable { message } => Self::Unavailable(message),
            QueueError::LeaseLost | QueueError::Internal { .. } => Self::Internal(text),
        }
    }
}
