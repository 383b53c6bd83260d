//! LOGIN and AUTHENTICATE (RFC 3501 6.2.2, 6.2.3): what happens once login and password are known.

use std::sync::Arc;

use secrecy::SecretString;
use staffetta_directory_api::{DirectoryError, LoginRequest, Scope};

use super::{Completion, Gateway, Transport};
use crate::login::Login;
use crate::wire::response::Code;

/// A failed login: its completion, and whether it counts against the connection.
#[derive(Debug)]
pub struct Failed {
    /// How the command ends.
    pub completion: Completion,
    /// Whether the client was wrong, and not we unable.
    pub counts: bool,
}

impl Failed {
    fn ours(completion: Completion) -> Self {
        Self { completion, counts: false }
    }

    fn theirs(completion: Completion) -> Self {
        Self { completion, counts: true }
    }
}

/// Passwords are taken only where nobody else can read them.
pub fn permitted(transport: Transport) -> Result<(), Completion> {
    if transport.passwords {
        return Ok(());
    }
    let text =
        if transport.can_start_tls { "Use STARTTLS first" } else { "Passwords are taken over TLS only" };
    Err(Completion::refused(Code::PrivacyRequired, text))
}

/// Checks the password and opens the session.
pub async fn login(
    gateway: &Gateway,
    transport: Transport,
    login: String,
    password: SecretString,
) -> Result<Login, Failed> {
    let request = LoginRequest { login, password, scopes: Scope::Imap.into(), client: transport.client.ip() };
    let session = match gateway.directory.login(request).await {
        Ok(session) => session,
        Err(error) => return Err(refusal(gateway, &error)),
    };
    let Some(permit) = gateway.sessions.enter(session.account, gateway.settings.max_per_account) else {
        gateway.metrics.login("limit");
        return Err(Failed::ours(Completion::refused(Code::Limit, "Too many sessions of this account")));
    };
    let Some(shard) = gateway.shards.get(&session.shard) else {
        tracing::error!(shard = %session.shard, account = %session.account, "account lives on a shard that is not configured here");
        gateway.metrics.login("unknown_shard");
        return Err(Failed::ours(Completion::refused(
            Code::Unavailable,
            "Temporarily unavailable, try again later",
        )));
    };
    gateway.metrics.login("ok");
    Ok(Login::new(&session, shard.clone(), permit, Arc::clone(&gateway.directory)))
}

fn refusal(gateway: &Gateway, error: &DirectoryError) -> Failed {
    match error {
        DirectoryError::AuthenticationFailed => {
            gateway.metrics.login("failed");
            Failed::theirs(Completion::refused(Code::AuthenticationFailed, "Login or password is wrong"))
        }
        DirectoryError::NotAllowed { reason } => {
            gateway.metrics.login("not_allowed");
            Failed::theirs(Completion::refused(Code::AuthorizationFailed, reason.clone()))
        }
        DirectoryError::LockedOut { .. } => {
            gateway.metrics.login("locked_out");
            Failed::theirs(Completion::refused(Code::AuthenticationFailed, error.to_string()))
        }
        other => {
            tracing::warn!(error = %other, "login could not be checked");
            gateway.metrics.login("unavailable");
            Failed::ours(Completion::refused(Code::Unavailable, "Temporarily unavailable, try again later"))
        }
    }
}
