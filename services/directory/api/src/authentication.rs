//! Logging in, and the signed short-lived tokens that a login yields.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use staffetta_message::address::Address;

use crate::{AccountId, DirectoryError, Quota, ShardEpoch, ShardName};

/// Checks passwords and keeps sessions alive.
#[async_trait]
pub trait Authentication: Send + Sync + 'static {
    /// Checks a login and its password and opens a session bound to the calling workload.
    ///
    /// Failures lock out the (login, client address) pair and the address; a login alone is only slowed.
    async fn login(&self, request: LoginRequest) -> Result<Session, DirectoryError>;

    /// A fresh token for a session, asked for at half-life. Fails with [`DirectoryError::SessionEnded`] after
    /// disabling, password change or revocation.
    async fn renew(&self, handle: &SessionHandle) -> Result<Session, DirectoryError>;

    /// Ends a session early (LOGOUT); unknown handles are fine.
    async fn logout(&self, handle: &SessionHandle) -> Result<(), DirectoryError>;
}

/// One attempt to log in.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    /// The login name as the client sent it: an address, compared without regard to case.
    pub login: String,
    /// The password as the client sent it.
    pub password: SecretString,
    /// What the session wants to do; the credential must allow all of it.
    pub scopes: Scopes,
    /// The client's address, for the lock-out.
    pub client: IpAddr,
}

/// An open session: who it is, where the mail lives, and the token that proves it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The account that logged in.
    pub account: AccountId,
    /// Its primary address.
    pub address: Address,
    /// Where its mail lives.
    pub shard: ShardName,
    /// Guards against a moved account.
    pub epoch: ShardEpoch,
    /// How much it may store.
    pub quota: Quota,
    /// Proves all of this to mailstore until `expires_at`.
    pub token: SessionToken,
    /// End of the token's life; renew at half of it.
    pub expires_at: DateTime<Utc>,
    /// When to renew.
    pub renew_at: DateTime<Utc>,
    /// Renews the token; bound to the workload that logged in.
    pub handle: SessionHandle,
}

/// A signed session token (JWT, EdDSA); redacted in Debug.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionToken(pub std::sync::Arc<str>);

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

/// Names a session for renewal; a secret, redacted in Debug.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionHandle(pub String);

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHandle(..)")
    }
}

/// One thing a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read and change mailboxes by IMAP.
    Imap,
    /// Read and delete by POP3.
    Pop3,
    /// Submit mail.
    Submit,
}

impl Scope {
    /// Every scope, in wire order.
    pub const ALL: [Self; 3] = [Self::Imap, Self::Pop3, Self::Submit];

    const fn bit(self) -> u8 {
        match self {
            Self::Imap => 1,
            Self::Pop3 => 2,
            Self::Submit => 4,
        }
    }
}

/// A set of [`Scope`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

impl Scopes {
    /// Whether `scope` is in the set.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether every scope of `other` is in the set.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes in wire order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}
