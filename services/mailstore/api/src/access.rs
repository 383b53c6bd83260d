//! Who a call is made for.

use staffetta_directory_api::{AccountId, Quota, Session, SessionToken, ShardEpoch};

/// The account a call is made for, as its session token proves it.
///
/// The gRPC client sends `token`; the server adapter verifies it and builds its own `Access` from the claims. In-process
/// implementations trust the fields.
#[derive(Clone, Debug)]
pub struct Access {
    /// The account.
    pub account: AccountId,
    /// Refused when older than the account's on this shard.
    pub epoch: ShardEpoch,
    /// How much the account may store.
    pub quota: Quota,
    /// Proves the above; `None` only in process.
    pub token: Option<SessionToken>,
}

impl From<&Session> for Access {
    fn from(session: &Session) -> Self {
        Self {
            account: session.account,
            epoch: session.epoch,
            quota: session.quota,
            token: Some(session.token.clone()),
        }
    }
}
