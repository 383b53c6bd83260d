//! What a store may answer besides success.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The only thing a caller matches on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no object under this key.
    NotFound,
    /// Create-only: an object with this key is already there.
    AlreadyExists,
    /// The store is away, slow or full: the same call may succeed later.
    Unavailable,
    /// The store refuses (credentials, bucket, permissions): an operator must act.
    Refused,
    /// Bytes are missing or differ from what was written.
    Corrupt,
}

impl StoreErrorKind {
    /// Name for logs and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "object not found",
            Self::AlreadyExists => "object already exists",
            Self::Unavailable => "object store unavailable",
            Self::Refused => "object store refused the request",
            Self::Corrupt => "stored bytes are damaged",
        })
    }
}

/// A failed store operation: kind to act on, key and source for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {key}")]
pub struct StoreError {
    kind: StoreErrorKind,
    key: String,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error without a deeper cause.
    pub fn new(kind: StoreErrorKind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into(), source: None }
    }

    /// An error caused by `source`.
    pub fn caused(
        kind: StoreErrorKind,
        key: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, key: key.into(), source: Some(Arc::from(source.into())) }
    }

    /// What to do about it.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The key the operation was about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// True if the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }
}
