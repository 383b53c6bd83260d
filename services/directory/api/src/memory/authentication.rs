use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{Failures, MemoryDirectory, SessionEntry, State, digest};
use crate::token::Claims;
use crate::{
    Account, AccountState, Authentication, DirectoryError, LoginRequest, Scope, Session, SessionHandle,
    lookup,
};

#[async_trait]
impl Authentication for MemoryDirectory {
    async fn login(&self, request: LoginRequest) -> Result<Session, DirectoryError> {
        let mut state = self.state();
        self.refuse_locked(&state, &request)?;
        let known = request
            .login
            .parse()
            .ok()
            .and_then(|address| state.primaries.get(&lookup::fold(&address).to_string()))
            .map(|id| &state.accounts[id])
            .filter(|entry| entry.account.state != AccountState::Deleting)
            .filter(|entry| entry.password == digest(request.password.expose_secret()));
        let Some(entry) = known else {
            self.count_failure(&mut state, &request);
            return Err(DirectoryError::AuthenticationFailed);
        };
        if entry.account.state == AccountState::Disabled {
            return Err(DirectoryError::NotAllowed { reason: "the account is disabled".to_owned() });
        }
        if !Scope::ALL.into_iter().collect::<crate::Scopes>().contains_all(request.scopes) {
            return Err(DirectoryError::NotAllowed { reason: "the scope is not granted".to_owned() });
        }
        let session = SessionEntry {
            id: Uuid::new_v4(),
            account: entry.account.id,
            version: entry.version,
            workload: Arc::clone(&self.workload),
            scopes: request.scopes,
        };
        let account = entry.account.clone();
        state.pair_failures.remove(&(request.login.to_ascii_lowercase(), request.client));
        let handle = Uuid::new_v4().to_string();
        let answer = self.session(&account, &session, &handle)?;
        state.sessions.insert(handle, session);
        Ok(answer)
    }

    async fn renew(&self, handle: &SessionHandle) -> Result<Session, DirectoryError> {
        let state = self.state();
        let session = state.sessions.get(&handle.0).filter(|session| session.workload == self.workload);
        let session = session.ok_or(DirectoryError::SessionEnded)?;
        let entry = state.accounts.get(&session.account).ok_or(DirectoryError::SessionEnded)?;
        if entry.account.state != AccountState::Active || entry.version != session.version {
            return Err(DirectoryError::SessionEnded);
        }
        self.session(&entry.account, session, &handle.0)
    }

    async fn logout(&self, handle: &SessionHandle) -> Result<(), DirectoryError> {
        let mut state = self.state();
        if state.sessions.get(&handle.0).is_some_and(|session| session.workload == self.workload) {
            state.sessions.remove(&handle.0);
        }
        Ok(())
    }
}

impl MemoryDirectory {
    fn session(
        &self,
        account: &Account,
        session: &SessionEntry,
        handle: &str,
    ) -> Result<Session, DirectoryError> {
        let (now, life) = (self.now(), self.shared.settings.token_life);
        let claims = Claims {
            account: account.id,
            shard: account.shard.clone(),
            epoch: account.epoch,
            quota: account.quota,
            scopes: session.scopes,
            workload: session.workload.to_string(),
            session: session.id,
            issued_at: now,
            expires_at: now + life,
        };
        let token = self.shared.signer.sign(&claims);
        Ok(Session {
            account: account.id,
            address: account.address.clone(),
            shard: account.shard.clone(),
            epoch: account.epoch,
            quota: account.quota,
            token: token.map_err(|error| DirectoryError::Internal { message: error.to_string() })?,
            expires_at: now + life,
            renew_at: now + life / 2,
            handle: SessionHandle(handle.to_owned()),
        })
    }

    fn refuse_locked(&self, state: &State, request: &LoginRequest) -> Result<(), DirectoryError> {
        let (settings, now) = (&self.shared.settings, self.shared.clock.now());
        let lasting = |failures: Option<&Failures>, limit: u32| {
            let failures = failures.filter(|failures| failures.count >= limit)?;
            failures.until.duration_since(now).ok().filter(|left| *left > Duration::ZERO)
        };
        let pair = state.pair_failures.get(&(request.login.to_ascii_lowercase(), request.client));
        let address = state.address_failures.get(&request.client);
        match lasting(pair, settings.pair_failures).max(lasting(address, settings.address_failures)) {
            Some(retry_after) => Err(DirectoryError::LockedOut { retry_after }),
            None => Ok(()),
        }
    }

    fn count_failure(&self, state: &mut State, request: &LoginRequest) {
        let now = self.shared.clock.now();
        let until = now + self.shared.settings.lock;
        let count = |failures: &mut Failures| {
            let count = if failures.until <= now { 1 } else { failures.count + 1 };
            *failures = Failures { count, until };
        };
        let none = Failures { count: 0, until };
        let pair = (request.login.to_ascii_lowercase(), request.client);
        count(state.pair_failures.entry(pair).or_insert(none));
        count(state.address_failures.entry(request.client).or_insert(none));
    }
}
