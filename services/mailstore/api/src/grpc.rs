//! The port over gRPC: [`client`] implements it, [`server`] serves it.
//!
//! Invariants
//! - tonic and prost types stay in this module.
//! - A session token travels in `authorization: Bearer`; the server believes it and nothing else about the account.
//! - Errors cross whole; only a call that failed on its way, and may be repeated, is repeated, once.

mod batch;
pub mod client;
mod convert;
pub mod server;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use staffetta_chassis::grpc::{TransportError, WireError};
use tonic::Code;

use crate::MailstoreError;

impl WireError for MailstoreError {
    fn code(&self) -> Code {
        match self {
            Self::MailboxNotFound | Self::MessageVanished => Code::NotFound,
            Self::MailboxExists => Code::AlreadyExists,
            Self::Limit { .. } | Self::OverQuota => Code::ResourceExhausted,
            Self::MaildropInUse
            | Self::LeaseLost
            | Self::StaleEpoch
            | Self::Cannot { .. }
            | Self::Refused { .. } => Code::FailedPrecondition,
            Self::AccessDenied { .. } => Code::PermissionDenied,
            Self::Corrupt { .. } => Code::DataLoss,
            Self::Invalid { .. } => Code::InvalidArgument,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    fn from_transport(error: TransportError) -> Self {
        let message = error.to_string();
        match error.code {
            Code::Unauthenticated | Code::PermissionDenied => Self::AccessDenied { message },
            Code::InvalidArgument | Code::OutOfRange => Self::Invalid { message },
            _ if error.is_temporary() => Self::Unavailable { message },
            _ => Self::Internal { message },
        }
    }
}

/// A failed call as the client sees it: what it means, and whether it failed on its way.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
#[error("{error}")]
struct Failure {
    error: MailstoreError,
    /// The transport's word when no service answered.
    #[serde(skip)]
    transport: Option<Code>,
}

impl WireError for Failure {
    fn code(&self) -> Code {
        self.error.code()
    }

    fn from_transport(error: TransportError) -> Self {
        let transport = Some(error.code);
        Self { error: MailstoreError::from_transport(error), transport }
    }
}
