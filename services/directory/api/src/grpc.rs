//! Directory over gRPC: [`client`] is the port for its callers, [`server`] puts an implementation on the wire.
//!
//! Errors cross whole (chassis `WireError`). The server knows the calling workload by its proven identity, allows each
//! rpc to the workloads that need it, and calls the implementation's view of that workload.

pub mod client;
mod convert;
pub mod server;

pub use client::DirectoryClient;
pub use server::DirectoryServer;

use staffetta_chassis::grpc::{TransportError, WireError};
use tonic::Code;

use crate::DirectoryError;

impl WireError for DirectoryError {
    fn code(&self) -> Code {
        match self {
            Self::AuthenticationFailed | Self::SessionEnded => Code::Unauthenticated,
            Self::NotAllowed { .. } | Self::PermissionDenied { .. } => Code::PermissionDenied,
            Self::LockedOut { .. } => Code::ResourceExhausted,
            Self::NotFound { .. } => Code::NotFound,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::Invalid { .. } => Code::InvalidArgument,
            Self::Conflict { .. } => Code::FailedPrecondition,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    fn from_transport(error: TransportError) -> Self {
        let message = error.to_string();
        match error.code {
            _ if error.is_temporary() => Self::Unavailable { message },
            Code::PermissionDenied | Code::Unauthenticated => Self::PermissionDenied { message },
            Code::InvalidArgument => Self::Invalid { message },
            _ => Self::Internal { message },
        }
    }
}
