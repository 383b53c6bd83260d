//! What a session has once it is logged in: its account, the way to its shard, and a token that must be kept fresh.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use staffetta_directory_api::{AccountId, Authentication, DirectoryError, Session, SessionHandle};
use staffetta_mailstore_api::{Access, Mailstore, ModSeq};

use crate::watch::{AccountWatch, Hub};

/// A login and everything that hangs on it.
pub struct Login {
    /// The primary address, for the log.
    pub address: String,
    /// Names the account to mailstore.
    pub access: Access,
    /// The account's shard.
    pub shard: Shard,
    /// Tells that the account changed.
    pub watch: AccountWatch,
    /// Everything up to this MODSEQ of the account has been looked at.
    pub seen: ModSeq,
    handle: SessionHandle,
    directory: Arc<dyn Authentication>,
    renew_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    _permit: Permit,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("address", &self.address)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// A shard as sessions use it.
#[derive(Clone)]
pub struct Shard {
    /// Its mailstore.
    pub store: Arc<dyn Mailstore>,
    /// Its watch stream.
    pub hub: Arc<Hub>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shard(..)")
    }
}

/// What became of a renewal.
#[derive(Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Not due, or done, or directory is away and the old token still lives.
    Alive,
    /// Directory ended the session: disabled, password changed, revoked.
    Ended,
    /// Directory is away and the token has expired: mailstore will refuse, the session waits.
    Expired,
}

impl Login {
    /// A session that directory opened.
    pub fn new(session: &Session, shard: Shard, permit: Permit, directory: Arc<dyn Authentication>) -> Self {
        let access = Access::from(session);
        Self {
            address: session.address.to_string(),
            watch: shard.hub.watch(&access),
            access,
            shard,
            seen: ModSeq(0),
            handle: session.handle.clone(),
            directory,
            renew_at: session.renew_at,
            expires_at: session.expires_at,
            _permit: permit,
        }
    }

    /// When [`Login::renew`] has something to do.
    pub fn renew_at(&self) -> DateTime<Utc> {
        self.renew_at
    }

    /// Renews the token when it is past its half-life.
    pub async fn renew(&mut self, now: DateTime<Utc>, retry: Duration) -> Renewal {
        if now < self.renew_at {
            return Renewal::Alive;
        }
        match self.directory.renew(&self.handle).await {
            Ok(session) => {
                self.access = Access::from(&session);
                self.handle = session.handle;
                self.renew_at = session.renew_at;
                self.expires_at = session.expires_at;
                self.shard.hub.prolong(&self.access);
                Renewal::Alive
            }
            Err(DirectoryError::SessionEnded | DirectoryError::NotAllowed { .. }) => Renewal::Ended,
            Err(error) => {
                tracing::debug!(%error, account = %self.access.account, "session token not renewed, trying again");
                self.renew_at = now + retry;
                if now < self.expires_at { Renewal::Alive } else { Renewal::Expired }
            }
        }
    }

    /// Tells directory that the session is over.
    pub async fn end(&self) {
        if let Err(error) = self.directory.logout(&self.handle).await {
            tracing::debug!(%error, "logout not told to directory; the session handle expires by itself");
        }
    }
}

/// Counts the sessions of each account on this pod.
#[derive(Debug, Default)]
pub struct Sessions {
    counts: Mutex<HashMap<AccountId, u32>>,
}

/// One counted session; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    sessions: Arc<Sessions>,
    account: AccountId,
}

impl Sessions {
    /// Room for one more session of the account, if it has fewer than `limit`.
    pub fn enter(self: &Arc<Self>, account: AccountId, limit: u32) -> Option<Permit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Permit { sessions: Arc::clone(self), account })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.sessions.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_room_for_its_limit_and_again_after_a_session_ended() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.enter(AccountId(1), 2).unwrap();
        let _second = sessions.enter(AccountId(1), 2).unwrap();
        assert!(sessions.enter(AccountId(1), 2).is_none());
        assert!(sessions.enter(AccountId(2), 2).is_some());
        drop(first);
        assert!(sessions.enter(AccountId(1), 2).is_some());
    }
}
