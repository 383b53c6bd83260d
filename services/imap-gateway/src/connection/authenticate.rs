//! LOGIN and AUTHENTICATE on the wire.

use base64::Engine as _;
use bytes::Bytes;
use secrecy::SecretString;
use staffetta_sasl::{Credentials, Exchange, Failure, Mechanism, Step};
use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::End;
use super::{Driver, Input};
use crate::command::{Completion, authenticate};
use crate::wire::command::Sensitive;
use crate::wire::response::{Code, Writer};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<'_, S> {
    /// LOGIN
    pub(super) async fn login(&mut self, user: Bytes, password: Bytes) -> Result<Completion, End> {
        if let Err(completion) = authenticate::permitted(self.session.transport) {
            return Ok(completion);
        }
        let (Ok(user), Ok(password)) = (std::str::from_utf8(&user), std::str::from_utf8(&password)) else {
            return Ok(Completion::refused(Code::AuthenticationFailed, "Login or password is wrong"));
        };
        self.log_in(user.to_owned(), password.into()).await
    }

    /// AUTHENTICATE
    pub(super) async fn authenticate(
        &mut self,
        mechanism: &str,
        initial: Option<Sensitive>,
    ) -> Result<Completion, End> {
        let Ok(mechanism) = mechanism.parse::<Mechanism>() else {
            return Ok(Completion::no("This mechanism is not offered"));
        };
        if let Err(completion) = authenticate::permitted(self.session.transport) {
            return Ok(completion);
        }
        let initial = initial.map(|initial| base64::prelude::BASE64_STANDARD.encode(initial.expose()));
        let initial = initial.as_deref().map(|text| if text.is_empty() { "=" } else { text });
        let mut step = Exchange::start(mechanism, initial.map(str::as_bytes));
        loop {
            match step {
                Step::Challenge(challenge, exchange) => {
                    Writer::new(self.wire.output()).challenge(challenge);
                    self.wire.decoder().expect_line();
                    match self.input().await? {
                        Input::Line(line) => step = exchange.respond(&line),
                        Input::Bad { text, .. } => return Ok(Completion::bad(text)),
                        _ => return Ok(Completion::bad("Expected a response")),
                    }
                }
                Step::Done(Credentials { authentication_id, password, .. }) => {
                    return self.log_in(authentication_id, password).await;
                }
                Step::Failed(Failure::Cancelled) => {
                    return Ok(Completion::bad("Authentication was cancelled"));
                }
                Step::Failed(failure @ Failure::Authorization) => {
                    return Ok(Completion::refused(Code::AuthorizationFailed, failure.to_string()));
                }
                Step::Failed(failure) => return Ok(Completion::bad(failure.to_string())),
            }
        }
    }

    async fn log_in(&mut self, user: String, password: SecretString) -> Result<Completion, End> {
        match authenticate::login(self.gateway, self.session.transport, user, password).await {
            Ok(login) => Ok(self.logged_in(login)),
            Err(failed) => {
                self.login_failures += u32::from(failed.counts);
                if self.login_failures >= self.gateway.settings.max_login_failures {
                    return Err(End::Bye(Some(Code::AuthenticationFailed), "Too many failed logins"));
                }
                Ok(failed.completion)
            }
        }
    }
}
