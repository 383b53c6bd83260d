//! The queue over gRPC. Proto and tonic types stay in here.
//!
//! Only [`Queue`](crate::Queue) crosses the wire: [`Schedule`](crate::Schedule) is between the service and its own workers.

mod client;
mod convert;
mod server;
#[cfg(test)]
mod tests;

pub use client::QueueClient;
pub use server::{ADMINISTRATORS, ENQUEUERS, QueueServer};

/// The descriptors of every package, for reflection.
pub const DESCRIPTORS: &[u8] = staffetta_proto::FILE_DESCRIPTOR_SET;

use staffetta_chassis::grpc::{TransportError, WireError};
use tonic::Code;

use crate::QueueError;

impl WireError for QueueError {
    fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::LeaseLost => Code::Aborted,
            Self::Invalid { .. } => Code::InvalidArgument,
            Self::PermissionDenied { .. } => Code::PermissionDenied,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    fn from_transport(error: TransportError) -> Self {
        let message = error.to_string();
        match error.code {
            Code::PermissionDenied | Code::Unauthenticated => Self::PermissionDenied { message },
            Code::InvalidArgument | Code::Unimplemented | Code::OutOfRange => Self::Invalid { message },
            _ => Self::Unavailable { message },
        }
    }
}
