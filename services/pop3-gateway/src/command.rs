//! Commands, one per file, and the dispatch to them. A command gets the stage it runs in, calls ports, and says what to
//! answer; it never sees a socket.

mod auth;
mod capa;
mod dele;
mod list;
mod noop;
mod pass;
mod quit;
mod retr;
mod rset;
mod stat;
mod stls;
mod top;
mod uidl;
mod user;

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use staffetta_mailstore_api::MailstoreError;

use crate::account::Account;
use crate::services::Services;
use crate::session::{Authorization, Channel, Incoming, LoginStep, Transaction};
use crate::wire::{Command, Reply, SyntaxError};

/// Where a session stands, with what belongs to it outside the pure machine.
#[derive(Debug)]
pub enum Stage {
    /// Nobody is logged in.
    Authorization(Authorization),
    /// The maildrop is open and leased.
    Transaction(Transaction, Account),
}

/// What a command needs besides its stage.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The ports and limits.
    pub services: &'a Services,
    /// The client, for lock-outs.
    pub client: IpAddr,
    /// What the session did so far.
    pub tally: &'a mut Tally,
}

/// What a session did, for its log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Who logged in, or tried to last.
    pub login: Option<String>,
    /// Failed logins.
    pub failures: u32,
    /// Messages in the maildrop at login.
    pub messages: usize,
    /// Messages sent whole.
    pub retrieved: u64,
    /// Messages sent in part.
    pub previewed: u64,
    /// Messages removed at QUIT.
    pub deleted: u64,
    /// Octets of messages sent.
    pub octets: u64,
}

/// What to send.
pub enum Response {
    /// A status line.
    Reply(Reply),
    /// A status line and a multi-line response, already terminated.
    Lines(Reply, BytesMut),
    /// A status line and a message, to be dot-stuffed.
    Message(Reply, BoxStream<'static, Result<Bytes, MailstoreError>>),
    /// `+ challenge`
    Challenge(String),
}

/// What happens after the response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next command.
    Continue,
    /// Throw away what was received and shake hands.
    StartTls,
    /// Close the connection.
    Close,
}

/// The end of a turn.
pub struct Outcome {
    /// The stage now; none once the maildrop was given back.
    pub stage: Option<Stage>,
    /// What to send.
    pub response: Response,
    /// What then.
    pub then: Then,
}

/// Runs what a stage received.
pub async fn run(stage: Stage, incoming: Incoming, turn: &mut Turn<'_>) -> Outcome {
    match (stage, incoming) {
        (Stage::Authorization(state), Incoming::Response(line)) => login(state.respond(&line), turn).await,
        (Stage::Authorization(state), Incoming::Command(command)) => {
            authorization(state, command, turn).await
        }
        (Stage::Transaction(state, account), Incoming::Command(command)) => {
            transaction(state, account, command, turn).await
        }
        // `receive` gives responses only in AUTHORIZATION.
        (stage, Incoming::Response(_)) => Outcome::reply(stage, Reply::err("unknown command")),
    }
}

async fn authorization(state: Authorization, command: Command, turn: &mut Turn<'_>) -> Outcome {
    match command {
        Command::User(name) => user::user(state, name),
        Command::Pass(password) => login(pass::pass(state, password), turn).await,
        Command::Auth(None) => auth::mechanisms(state),
        Command::Auth(Some(arguments)) => login(auth::auth(state, &arguments), turn).await,
        Command::Stls => stls::stls(state),
        Command::Capa => capa::capa(Stage::Authorization(state)),
        Command::Quit => Outcome::bye(Reply::ok("bye")),
        _ => Outcome::reply(Stage::Authorization(state), Reply::err("log in first")),
    }
}

async fn transaction(
    mut state: Transaction,
    account: Account,
    command: Command,
    turn: &mut Turn<'_>,
) -> Outcome {
    let maildrop = &mut state.maildrop;
    let response = match command {
        Command::Stat => Response::Reply(stat::stat(maildrop)),
        Command::List(message) => list::list(maildrop, message),
        Command::Uidl(message) => uidl::uidl(maildrop, message),
        Command::Retr(message) => retr::retr(maildrop, &account, message, turn).await,
        Command::Top { message, lines } => top::top(maildrop, &account, message, lines, turn).await,
        Command::Dele(message) => Response::Reply(dele::dele(maildrop, message)),
        Command::Rset => Response::Reply(rset::rset(maildrop)),
        Command::Noop => Response::Reply(noop::noop()),
        Command::Capa => return capa::capa(Stage::Transaction(state, account)),
        Command::Quit => return Outcome::bye(quit::quit(&state, account, turn).await),
        _ => Response::Reply(Reply::err("already logged in")),
    };
    Outcome { stage: Some(Stage::Transaction(state, account)), response, then: Then::Continue }
}

/// Acts on a step of PASS or AUTH: asks on, refuses, or checks the credentials and opens the maildrop.
async fn login(step: LoginStep, turn: &mut Turn<'_>) -> Outcome {
    let (state, credentials) = match step {
        LoginStep::Check(state, credentials) => (state, credentials),
        LoginStep::Challenge(state, challenge) => {
            let response = Response::Challenge(challenge);
            let stage = Some(Stage::Authorization(state));
            return Outcome { stage, response, then: Then::Continue };
        }
        LoginStep::Refused(state, reply) => return Outcome::reply(Stage::Authorization(state), reply),
    };
    turn.tally.login = Some(credentials.authentication_id.clone());
    match Account::open(turn.services, credentials, turn.client).await {
        Ok((maildrop, account)) => {
            turn.services.metrics.login("ok");
            turn.tally.messages = maildrop.count();
            let text = format!("maildrop has {} messages ({} octets)", maildrop.count(), maildrop.octets());
            Outcome::reply(Stage::Transaction(state.logged_in(maildrop), account), Reply::ok(text))
        }
        Err(failure) => {
            turn.services.metrics.login(failure.result);
            turn.tally.failures += 1;
            if turn.tally.failures >= turn.services.limits.login_failures {
                return Outcome::bye(failure.reply);
            }
            Outcome::reply(Stage::Authorization(state), failure.reply)
        }
    }
}

// === impl Stage ===

impl Stage {
    /// Reads a line.
    ///
    /// # Errors
    /// The line is no command.
    pub fn receive(&self, line: &[u8]) -> Result<Incoming, SyntaxError> {
        match self {
            Self::Authorization(state) => state.receive(line),
            Self::Transaction(..) => Command::parse(line).map(Incoming::Command),
        }
    }

    /// Whether the next line may be as long as an AUTH response.
    pub fn awaits_response(&self) -> bool {
        matches!(self, Self::Authorization(state) if state.awaits_response())
    }

    fn channel(&self) -> Channel {
        match self {
            Self::Authorization(state) => state.channel(),
            Self::Transaction(state, _) => state.channel(),
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// A status line, and the session goes on.
    fn reply(stage: Stage, reply: Reply) -> Self {
        Self { stage: Some(stage), response: Response::Reply(reply), then: Then::Continue }
    }

    /// A last status line.
    fn bye(reply: Reply) -> Self {
        Self { stage: None, response: Response::Reply(reply), then: Then::Close }
    }
}
