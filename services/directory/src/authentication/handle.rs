//! Session handles: signed by the token key for an audience of their own, so that a login writes no row.
//!
//! A handle proves nothing to mailstore. It says which session to renew, and the renewal compares what it says with the
//! database: account state, session version, credential version, and whether the session was ended early.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use staffetta_directory_api::token::{PublicKeys, TokenError, TokenSigner};
use staffetta_directory_api::{AccountId, Scopes, SessionHandle};
use uuid::Uuid;

const AUDIENCE: &str = "staffetta-session-handle";

/// What a handle says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handle {
    #[serde(rename = "sid")]
    pub(crate) session: Uuid,
    pub(crate) account: AccountId,
    pub(crate) session_version: i32,
    pub(crate) credential: i64,
    pub(crate) credential_version: i32,
    pub(crate) workload: String,
    pub(crate) scopes: Scopes,
    #[serde(rename = "exp", with = "chrono::serde::ts_seconds")]
    pub(crate) expires_at: DateTime<Utc>,
}

impl Handle {
    /// The handle as its owner keeps it.
    pub(crate) fn seal(&self, signer: &TokenSigner) -> Result<SessionHandle, TokenError> {
        signer.sign_for(AUDIENCE, self).map(SessionHandle)
    }

    /// What `handle` says, if directory signed it and it belongs to `workload`.
    pub(crate) fn open(keys: &PublicKeys, handle: &SessionHandle, workload: &str) -> Option<Self> {
        let handle: Self = keys.verify(AUDIENCE, &handle.0).ok()?;
        (handle.workload == workload).then_some(handle)
    }
}
