//! The server's side: each response of the client consumes the exchange and gives the next step.

use secrecy::SecretString;
use zeroize::{Zeroize, Zeroizing};

use crate::{Credentials, Mechanism, decode_base64, encode_base64};

/// Longest user name or password that is taken (RFC 4616 2: implementations must handle 255 octets).
const MAX_TEXT: usize = 1024;

/// An exchange that waits for the client's next response.
#[derive(Debug)]
pub struct Exchange(State);

/// What to do after a response.
#[derive(Debug)]
pub enum Step {
    /// Send this challenge (not yet base64, see [`challenge_line`]) and feed the answer to the exchange.
    Challenge(&'static [u8], Exchange),
    /// The exchange is over; the credentials are still to be verified.
    Done(Credentials),
    /// The exchange is over without credentials.
    Failed(Failure),
}

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The client sent `*` (RFC 4954 4, RFC 3501 6.2.2, RFC 5034 4).
    #[error("authentication was cancelled")]
    Cancelled,
    /// The response is longer than [`crate::MAX_RESPONSE`].
    #[error("the response is too long")]
    TooLong,
    /// The response is not base64.
    #[error("the response is not base64")]
    Encoding,
    /// The decoded response does not follow the mechanism.
    #[error("the response is malformed")]
    Malformed,
    /// The client wants to act for somebody else.
    #[error("acting for another user is not permitted")]
    Authorization,
}

#[derive(Debug)]
enum State {
    Plain,
    LoginName,
    LoginPassword { name: String },
}

// === impl Exchange ===

impl Exchange {
    /// Starts `mechanism`. `initial` is the initial response as on the wire (base64; `=` is an empty one).
    #[must_use]
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> Step {
        let exchange = match mechanism {
            Mechanism::Plain => Self(State::Plain),
            Mechanism::Login => Self(State::LoginName),
        };
        match (initial, mechanism) {
            (Some(b"="), _) => exchange.decoded(&[]),
            (Some(line), _) => exchange.respond(line),
            (None, Mechanism::Plain) => Step::Challenge(b"", exchange),
            (None, Mechanism::Login) => Step::Challenge(b"Username:", exchange),
        }
    }

    /// The client's response line, without its line end: base64, or `*` to cancel.
    #[must_use]
    pub fn respond(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Failed(Failure::Cancelled);
        }
        match decode_base64(line) {
            Ok(decoded) => self.decoded(&decoded),
            Err(failure) => Step::Failed(failure),
        }
    }

    fn decoded(self, response: &[u8]) -> Step {
        match self.0 {
            State::Plain => plain(response).map_or_else(Step::Failed, Step::Done),
            State::LoginName => match text(response) {
                Ok(name) if !name.is_empty() => {
                    Step::Challenge(b"Password:", Self(State::LoginPassword { name: name.to_string() }))
                }
                Ok(_) => Step::Failed(Failure::Malformed),
                Err(failure) => Step::Failed(failure),
            },
            State::LoginPassword { name } => match text(response) {
                Ok(password) => Step::Done(Credentials {
                    authorization_id: name.clone(),
                    authentication_id: name,
                    password: SecretString::from(password.as_str()),
                }),
                Err(failure) => Step::Failed(failure),
            },
        }
    }
}

/// A challenge as it goes onto the wire.
#[must_use]
pub fn challenge_line(challenge: &[u8]) -> String {
    encode_base64(challenge)
}

/// RFC 4616 2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`.
fn plain(response: &[u8]) -> Result<Credentials, Failure> {
    let mut fields = response.split(|b| *b == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Failure::Malformed);
    };
    let (authzid, authcid, password) = (text(authzid)?, text(authcid)?, text(password)?);
    if authcid.is_empty() || password.is_empty() {
        return Err(Failure::Malformed);
    }
    if !authzid.is_empty() && *authzid != *authcid {
        return Err(Failure::Authorization);
    }
    Ok(Credentials {
        authentication_id: authcid.to_string(),
        authorization_id: authcid.to_string(),
        password: SecretString::from(password.as_str()),
    })
}

/// UTF-8 without NUL, within bounds.
fn text(bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
    if bytes.len() > MAX_TEXT {
        return Err(Failure::TooLong);
    }
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) if !text.contains('\0') => Ok(Zeroizing::new(text)),
        Ok(mut text) => {
            text.zeroize();
            Err(Failure::Malformed)
        }
        Err(error) => {
            error.into_bytes().zeroize();
            Err(Failure::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::client;

    fn done(step: Step) -> (String, String) {
        match step {
            Step::Done(c) => (c.authentication_id, c.password.expose_secret().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    fn failure(step: Step) -> Failure {
        match step {
            Step::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    fn plain_with(message: &[u8]) -> Step {
        Exchange::start(Mechanism::Plain, Some(encode_base64(message).as_bytes()))
    }

    #[test]
    fn rfc4616_plain_with_initial_response() {
        // The example of RFC 4616 4.
        assert_eq!(done(plain_with(b"\0tim\0tanstaaftanstaaf")), ("tim".into(), "tanstaaftanstaaf".into()));
        assert_eq!(done(plain_with(b"tim\0tim\0x")).0, "tim");
        assert_eq!(failure(plain_with(b"Ursel\0Kurt\0xipj3plmq")), Failure::Authorization);
    }

    #[test]
    fn plain_by_continuation() {
        let Step::Challenge(b"", exchange) = Exchange::start(Mechanism::Plain, None) else { panic!() };
        assert_eq!(done(exchange.respond(b"AGEAYg==")), ("a".into(), "b".into()));
    }

    #[test]
    fn malformed_plain_is_refused() {
        for message in [&b""[..], b"a", b"a\0b", b"\0\0b", b"\0a\0", b"\0a\0b\0c", b"\0a\0\xff"] {
            assert_eq!(failure(plain_with(message)), Failure::Malformed, "{message:?}");
        }
        assert_eq!(failure(Exchange::start(Mechanism::Plain, Some(b"="))), Failure::Malformed);
        assert_eq!(failure(Exchange::start(Mechanism::Plain, Some(b"AGEAYg"))), Failure::Encoding);
        assert_eq!(failure(Exchange::start(Mechanism::Plain, Some(&[b'A'; 5000]))), Failure::TooLong);
        assert_eq!(failure(plain_with(&[b"\0a\0".as_slice(), &[b'x'; 1025]].concat())), Failure::TooLong);
    }

    #[test]
    fn login_asks_twice() {
        let Step::Challenge(prompt, exchange) = Exchange::start(Mechanism::Login, None) else { panic!() };
        assert_eq!(challenge_line(prompt), "VXNlcm5hbWU6");
        let Step::Challenge(prompt, exchange) = exchange.respond(b"YQ==") else { panic!() };
        assert_eq!(challenge_line(prompt), "UGFzc3dvcmQ6");
        assert_eq!(done(exchange.respond(b"Yg==")), ("a".into(), "b".into()));
    }

    #[test]
    fn login_takes_the_name_as_initial_response() {
        let Step::Challenge(b"Password:", exchange) = Exchange::start(Mechanism::Login, Some(b"YQ==")) else {
            panic!()
        };
        assert_eq!(failure(exchange.respond(b"*")), Failure::Cancelled);
        assert_eq!(failure(Exchange::start(Mechanism::Login, Some(b"="))), Failure::Malformed);
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", plain_with(b"\0tim\0secret")).contains("secret"));
    }

    proptest! {
        #[test]
        fn client_and_server_understand_each_other(name in "[^\0]{1,60}", password in "[^\0]{1,60}") {
            let secret = SecretString::from(password.as_str());
            let initial = client::plain(&name, &secret);
            let got = done(Exchange::start(Mechanism::Plain, Some(initial.as_bytes())));
            prop_assert_eq!(got, (name.clone(), password.clone()));
            let Step::Challenge(_, exchange) = Exchange::start(Mechanism::Login, None) else { panic!() };
            let Step::Challenge(_, exchange) = exchange.respond(client::login_name(&name).as_bytes()) else { panic!() };
            prop_assert_eq!(done(exchange.respond(client::login_password(&secret).as_bytes())), (name, password));
        }

        #[test]
        fn arbitrary_responses_never_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..4)) {
            for mechanism in Mechanism::ALL {
                let mut step = Exchange::start(mechanism, None);
                for line in &lines {
                    step = match step {
                        Step::Challenge(_, exchange) => exchange.respond(line),
                        over => over,
                    };
                }
            }
        }
    }
}
