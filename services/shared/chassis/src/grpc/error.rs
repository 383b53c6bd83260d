//! Typed errors across the wire: the error itself, as JSON, beside the status.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// The metadata key of the error itself.
const DETAIL: &str = "staffetta-error-bin";
/// A detail beyond this many bytes is left out, so that the status always arrives.
const MAX_DETAIL: usize = 128 * 1024;

/// An error of a port that crosses the wire whole.
pub trait WireError: Serialize + DeserializeOwned + std::fmt::Display {
    /// The status code for those who do not know the type.
    fn code(&self) -> Code;

    /// What this error is when the call failed on its way, without an answer of the service.
    fn from_transport(error: TransportError) -> Self;
}

/// A call that failed on its way: no server, a deadline, a refused identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct TransportError {
    /// What happened, in gRPC's words.
    pub code: Code,
    /// For the log.
    pub message: String,
}

impl TransportError {
    /// Whether the service may do better later. What the call did is unknown.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.code,
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
                | Code::Aborted
        )
    }
}

/// The status for `error`, with the error itself in it.
pub fn into_status<E: WireError>(error: E) -> Status {
    let mut status = Status::new(error.code(), error.to_string());
    match serde_json::to_vec(&error) {
        Ok(detail) if detail.len() <= MAX_DETAIL => {
            status.metadata_mut().insert_bin(DETAIL, MetadataValue::from_bytes(&detail));
        }
        Ok(_) => tracing::warn!("an error is too large for the wire, its detail is left out"),
        Err(error) => tracing::error!(%error, "an error cannot be written as JSON"),
    }
    status
}

/// The error that the server put into `status`, or what its transport error means.
pub fn from_status<E: WireError>(status: Status) -> E {
    let detail = status.metadata().get_bin(DETAIL).and_then(|value| value.to_bytes().ok());
    let restored = detail.and_then(|detail| serde_json::from_slice(&detail).ok());
    restored.unwrap_or_else(|| {
        let (code, message) = (status.code(), status.message().to_owned());
        E::from_transport(TransportError { code, message })
    })
}
