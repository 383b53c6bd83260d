//! Logging in and keeping sessions alive.
//!
//! A login costs one statement: the credential with its version and the account. The password is then answered by the
//! verification cache or by a hash; nothing is written. Sessions are signed handles ([`handle`]).

mod handle;
mod hasher;
mod verified;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::FromRow;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::Pool;
use staffetta_directory_api::administration::MAX_PASSWORD;
use staffetta_directory_api::lookup::fold;
use staffetta_directory_api::token::{Claims, PublicKeys, TokenSigner};
use staffetta_directory_api::{
    AccountId, AccountState, DirectoryError, LoginRequest, Scope, Scopes, Session, SessionHandle, ShardEpoch,
    ShardName,
};
use staffetta_message::address::Address;
use uuid::Uuid;

pub(crate) use handle::Handle;
pub(crate) use hasher::Hasher;
pub(crate) use verified::Verified;

use crate::error::database;
use crate::lockout::{Attempt, Lockout};
use crate::metrics::Metrics;
use crate::rows;

/// Checks passwords, signs tokens and handles.
pub(crate) struct Authenticator {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) verified: Verified,
    pub(crate) lockout: Lockout,
    pub(crate) signer: TokenSigner,
    pub(crate) keys: PublicKeys,
    pub(crate) token_life: Duration,
    pub(crate) session_life: Duration,
    pub(crate) metrics: Metrics,
}

/// A credential and its account.
#[derive(FromRow)]
struct Credential {
    credential_id: i64,
    credential_version: i32,
    scopes: i16,
    secret: String,
    account_id: i64,
    address: String,
    state: i16,
    shard: String,
    shard_epoch: i32,
    quota_bytes: i64,
    quota_messages: i64,
    session_version: i32,
}

impl Authenticator {
    /// See [`staffetta_directory_api::Authentication::login`].
    pub(crate) async fn login(
        &self,
        request: LoginRequest,
        workload: &str,
    ) -> Result<Session, DirectoryError> {
        let started = self.clock.instant();
        let (login, client) = (shown(&request.login), request.client);
        let answer = self.try_login(request, workload).await;
        let took = self.clock.instant().saturating_duration_since(started);
        let result = answer.as_ref().map_or_else(outcome, |_| "ok");
        self.metrics.login(result, took);
        let account = answer.as_ref().ok().map(|session| session.account.0);
        let took = took.as_millis();
        tracing::info!(login, %client, workload, result, account, took_ms = %took, "login");
        answer
    }

    async fn try_login(&self, request: LoginRequest, workload: &str) -> Result<Session, DirectoryError> {
        let attempt = Attempt::new(&request.login, request.client);
        self.lockout.admit(&attempt).await?;
        let credential = match request.login.trim().parse::<Address>() {
            Ok(address) => self.credential(&fold(&address)).await?,
            Err(_) => None,
        };
        let right = self.verify(&attempt, credential.as_ref(), &request.password).await?;
        let Some(credential) = credential.filter(|_| right) else {
            return Err(DirectoryError::AuthenticationFailed);
        };
        match rows::state(credential.state)? {
            AccountState::Active => {}
            AccountState::Disabled => return Err(not_allowed("the account is disabled")),
            AccountState::Deleting => return Err(DirectoryError::AuthenticationFailed),
        }
        if !scopes(credential.scopes).contains_all(request.scopes) {
            return Err(not_allowed("the credential does not allow this protocol"));
        }
        let now = self.now();
        let handle = Handle {
            session: Uuid::new_v4(),
            account: AccountId(credential.account_id),
            session_version: credential.session_version,
            credential: credential.credential_id,
            credential_version: credential.credential_version,
            workload: workload.to_owned(),
            scopes: request.scopes,
            expires_at: now + self.session_life,
        };
        self.session(&credential, &handle, now)
    }

    /// Whether `password` is the credential's; takes as long for a login that does not exist.
    async fn verify(
        &self,
        attempt: &Attempt,
        credential: Option<&Credential>,
        password: &SecretString,
    ) -> Result<bool, DirectoryError> {
        if let Some(known) = credential
            && self.verified.contains(known.credential_id, known.credential_version, password).await
        {
            self.metrics.verification("cache");
            return Ok(true);
        }
        self.metrics.verification("hash");
        self.lockout.charge(attempt).await?;
        // No stored password is as long, and hashing megabytes would be a way to keep workers busy.
        let plausible = password.expose_secret().len() <= MAX_PASSWORD;
        let known = credential.filter(|_| plausible);
        let right = match self.hasher.verify(known.map(|known| known.secret.as_str()), password).await {
            Ok(right) => right,
            Err(busy) => {
                self.lockout.give_back(attempt).await;
                return Err(busy);
            }
        };
        if right && let Some(known) = known {
            self.lockout.forgive(attempt).await;
            self.verified.insert(known.credential_id, known.credential_version, password).await;
            self.rehash_if_outdated(known, password).await;
        }
        Ok(right)
    }

    /// Stored hashes follow the settings; a failure only means that the next login tries again.
    async fn rehash_if_outdated(&self, credential: &Credential, password: &SecretString) {
        if !self.hasher.is_outdated(&credential.secret) {
            return;
        }
        let Ok(secret) = self.hasher.hash(password).await else { return };
        let updated = sqlx::query(include_str!("sql/credential/rehash.sql"))
            .bind(credential.credential_id)
            .bind(credential.credential_version)
            .bind(secret)
            .execute(self.pool.inner())
            .await;
        match updated {
            Ok(_) => {
                tracing::info!(account = credential.account_id, "password is hashed with new parameters")
            }
            Err(error) => tracing::warn!(%error, "rehashed password was not stored"),
        }
    }

    /// See [`staffetta_directory_api::Authentication::renew`].
    pub(crate) async fn renew(
        &self,
        handle: &SessionHandle,
        workload: &str,
    ) -> Result<Session, DirectoryError> {
        let answer = self.try_renew(handle, workload).await;
        self.metrics.renewal(answer.as_ref().map_or_else(outcome, |_| "ok"));
        answer
    }

    async fn try_renew(&self, handle: &SessionHandle, workload: &str) -> Result<Session, DirectoryError> {
        let now = self.now();
        let handle = Handle::open(&self.keys, handle, workload)
            .filter(|handle| now < handle.expires_at)
            .ok_or(DirectoryError::SessionEnded)?;
        let credential: Option<Credential> = sqlx::query_as(include_str!("sql/session/by_handle.sql"))
            .bind(handle.account.0)
            .bind(handle.credential)
            .bind(handle.session)
            .fetch_optional(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        let same = |known: &Credential| {
            known.credential_version == handle.credential_version
                && known.session_version == handle.session_version
        };
        let credential = credential.filter(same).ok_or(DirectoryError::SessionEnded)?;
        if rows::state(credential.state)? != AccountState::Active {
            return Err(DirectoryError::SessionEnded);
        }
        self.session(&credential, &handle, now)
    }

    /// See [`staffetta_directory_api::Authentication::logout`].
    pub(crate) async fn logout(&self, handle: &SessionHandle, workload: &str) -> Result<(), DirectoryError> {
        let Some(handle) = Handle::open(&self.keys, handle, workload) else { return Ok(()) };
        sqlx::query(include_str!("sql/session/end.sql"))
            .bind(handle.session)
            .bind(handle.expires_at)
            .execute(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        Ok(())
    }

    async fn credential(&self, login: &Address) -> Result<Option<Credential>, DirectoryError> {
        sqlx::query_as(include_str!("sql/credential/by_login.sql"))
            .bind(login.to_string())
            .fetch_optional(self.pool.inner())
            .await
            .map_err(|error| database(&error))
    }

    fn session(
        &self,
        credential: &Credential,
        handle: &Handle,
        now: DateTime<Utc>,
    ) -> Result<Session, DirectoryError> {
        let claims = Claims {
            account: AccountId(credential.account_id),
            shard: ShardName(credential.shard.clone()),
            epoch: ShardEpoch(credential.shard_epoch),
            quota: rows::quota(credential.quota_bytes, credential.quota_messages),
            scopes: handle.scopes,
            workload: handle.workload.clone(),
            session: handle.session,
            issued_at: now,
            // A token outlives neither its session nor its own life.
            expires_at: (now + self.token_life).min(handle.expires_at),
        };
        let internal = |error: staffetta_directory_api::token::TokenError| DirectoryError::Internal {
            message: error.to_string(),
        };
        let token = self.signer.sign(&claims).map_err(internal)?;
        // Signed anew at every renewal, so that a rotated key is out of use after one token's life.
        let handle = handle.seal(&self.signer).map_err(internal)?;
        let Claims { account, shard, epoch, quota, expires_at, .. } = claims;
        let half = expires_at.signed_duration_since(now) / 2;
        let address = rows::address(&credential.address)?;
        Ok(Session { account, address, shard, epoch, quota, token, expires_at, renew_at: now + half, handle })
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now().into()
    }
}

/// The scopes of `credential.scopes`.
fn scopes(bits: i16) -> Scopes {
    let bit = |scope: &Scope| match scope {
        Scope::Imap => 1,
        Scope::Pop3 => 2,
        Scope::Submit => 4,
    };
    Scope::ALL.into_iter().filter(|scope| bits & bit(scope) != 0).collect()
}

fn not_allowed(reason: &str) -> DirectoryError {
    DirectoryError::NotAllowed { reason: reason.to_owned() }
}

/// A login for the log: attacker-chosen, so escaped and cut.
fn shown(login: &str) -> String {
    login.chars().take(320).flat_map(char::escape_debug).collect()
}

/// The label of a refusal in metrics and logs.
fn outcome(error: &DirectoryError) -> &'static str {
    match error {
        DirectoryError::AuthenticationFailed => "wrong",
        DirectoryError::NotAllowed { .. } => "not_allowed",
        DirectoryError::LockedOut { .. } => "locked_out",
        DirectoryError::SessionEnded => "ended",
        DirectoryError::Unavailable { .. } => "unavailable",
        _ => "failed",
    }
}
