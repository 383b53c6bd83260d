//! AUTH (RFC 4954): the exchange of lines, before anybody checks the password.

use staffetta_directory_api::AccountId;
use staffetta_message::address::Address;
use staffetta_sasl::Mechanism;
use staffetta_sasl::server::{Exchange, Failure, Step as Exchanged, challenge_line};
use staffetta_smtp::reply::{EnhancedCode, Reply};

use super::{Effect, Identified, State, Step};

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its primary address.
    pub address: Address,
}

/// Waits for the client's next response.
#[derive(Debug)]
pub(super) struct Authenticating {
    peer: Identified,
    exchange: Exchange,
}

impl Authenticating {
    pub(super) fn peer(&self) -> &Identified {
        &self.peer
    }

    /// A response, or `*` to cancel.
    pub(super) fn line(self, line: &[u8]) -> Step {
        next(self.peer, self.exchange.respond(line))
    }
}

/// The session has made sure that a password may be taken here and now.
pub(super) fn begin(peer: Identified, mechanism: &str, initial: Option<&str>) -> Step {
    match mechanism.parse::<Mechanism>() {
        Ok(mechanism) => next(peer, Exchange::start(mechanism, initial.map(str::as_bytes))),
        Err(_) => {
            let reply = Reply::new(504, EnhancedCode(5, 5, 4), "unknown mechanism, use PLAIN or LOGIN");
            (State::Identified(peer), Effect::Reply(reply))
        }
    }
}

/// The password has been checked.
pub(super) fn done(mut peer: Identified, result: Result<Account, Reply>) -> Step {
    match result {
        Ok(account) => {
            let reply = Reply::new(235, EnhancedCode(2, 7, 0), "authenticated");
            peer.account = Some(account);
            (State::Identified(peer), Effect::Reply(reply))
        }
        Err(reply) => (State::Identified(peer), Effect::Reply(reply)),
    }
}

fn next(peer: Identified, step: Exchanged) -> Step {
    match step {
        Exchanged::Challenge(challenge, exchange) => {
            let reply = Reply::plain(334, challenge_line(challenge));
            (State::Authenticating(Authenticating { peer, exchange }), Effect::Reply(reply))
        }
        Exchanged::Done(credentials) => (State::AwaitingAccount(peer), Effect::Authenticate(credentials)),
        Exchanged::Failed(failure) => (State::Identified(peer), Effect::Reply(refusal(failure))),
    }
}

fn refusal(failure: Failure) -> Reply {
    match failure {
        Failure::Cancelled => Reply::new(501, EnhancedCode(5, 7, 0), "authentication cancelled"),
        Failure::TooLong => Reply::new(500, EnhancedCode(5, 5, 6), "authentication response too long"),
        Failure::Encoding => Reply::new(501, EnhancedCode(5, 5, 2), "response is not base64"),
        Failure::Malformed => Reply::new(501, EnhancedCode(5, 5, 2), "response does not fit the mechanism"),
        Failure::Authorization => {
            Reply::new(535, EnhancedCode(5, 7, 8), "acting for another user is not permitted")
        }
    }
}
