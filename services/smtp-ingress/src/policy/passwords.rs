//! Logging in.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use staffetta_directory_api::{DirectoryError, LoginRequest, Scope, Scopes, Session, SessionHandle};
use staffetta_smtp::reply::EnhancedCode;

use super::Policy;
use super::rates::{Counted, Verdict};
use crate::error::{Refusal, come_back};
use crate::session::Credentials;

impl Policy {
    /// Checks a login and its password (RFC 4954 4: codes).
    ///
    /// # Errors
    /// The refusal.
    pub async fn login(&self, credentials: Credentials, client: IpAddr) -> Result<Session, Refusal> {
        let rate = self.config.rates.auth_failures_per_minute;
        if let Verdict::Refused { retry_after } = self.count(Counted::AuthFailure, client, rate, 0).await {
            let text = format!("too many failed logins from your address, {}", come_back(retry_after));
            return Err(Refusal::new("auth_rate", 454, EnhancedCode(4, 7, 0), text));
        }
        let request = LoginRequest {
            login: credentials.authentication_id,
            password: credentials.password,
            scopes: Scopes::from(Scope::Submit),
            client,
        };
        let error = match self.ports.authentication.login(request).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let failed =
            matches!(error, DirectoryError::AuthenticationFailed | DirectoryError::NotAllowed { .. });
        if failed {
            self.count(Counted::AuthFailure, client, rate, 1).await;
        }
        Err(refusal(error))
    }

    /// Keeps a login alive past half of its life; a login that has ended (disabled, password changed) says so.
    ///
    /// # Errors
    /// `421` when the login has ended. While directory is away the login goes on until its token expires.
    pub async fn renew(&self, session: &mut Session) -> Result<(), Refusal> {
        let now: DateTime<Utc> = self.clock.now().into();
        if session.renew_at > now {
            return Ok(());
        }
        match self.ports.authentication.renew(&session.handle).await {
            Ok(renewed) => {
                *session = renewed;
                Ok(())
            }
            Err(DirectoryError::Unavailable { .. } | DirectoryError::Internal { .. })
                if session.expires_at > now =>
            {
                Ok(())
            }
            Err(DirectoryError::SessionEnded | DirectoryError::NotAllowed { .. }) => {
                let text = "your login has ended, connect and log in again";
                Err(Refusal::new("login_ended", 421, EnhancedCode(4, 7, 0), text))
            }
            Err(error) => Err(Refusal::directory(&error, "renew")),
        }
    }

    /// Ends a login; nobody waits for it.
    pub fn logout(&self, handle: SessionHandle) {
        let authentication = self.ports.authentication.clone();
        self.tasks.spawn(async move {
            if let Err(error) = authentication.logout(&handle).await {
                tracing::debug!(%error, "logout not told to directory");
            }
        });
    }
}

fn refusal(error: DirectoryError) -> Refusal {
    match error {
        DirectoryError::AuthenticationFailed => {
            Refusal::new("auth_failed", 535, EnhancedCode(5, 7, 8), "authentication failed")
        }
        DirectoryError::NotAllowed { reason } => {
            Refusal::new("auth_not_allowed", 525, EnhancedCode(5, 7, 13), reason)
        }
        DirectoryError::LockedOut { retry_after } => {
            let text = format!("too many failed logins, {}", come_back(retry_after));
            Refusal::new("auth_locked_out", 454, EnhancedCode(4, 7, 0), text)
        }
        error => {
            tracing::warn!(%error, "directory call failed at login");
            Refusal::new("away", 454, EnhancedCode(4, 7, 0), "temporary authentication failure")
        }
    }
}
