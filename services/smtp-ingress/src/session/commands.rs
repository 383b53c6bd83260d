//! What each command means in each state (RFC 5321 4.1.4: order of commands).

use staffetta_message::address::Address;
use staffetta_smtp::command::{BodyType, ClientName, Command, ForwardPath, MailParameters};
use staffetta_smtp::reply::{EnhancedCode, Reply};

use super::authenticating;
use super::{Effect, Facts, Identified, Opening, Session, State, Step};

impl Session {
    pub(super) fn command(&mut self, state: State, command: Command) -> Step {
        match command {
            Command::Ehlo(client) => self.hello(&state, client, true),
            Command::Helo(client) => self.hello(&state, client, false),
            Command::Mail(sender, parameters) => self.mail(state, sender, &parameters),
            Command::Rcpt(path) => self.rcpt(state, path),
            Command::Data => self.data(state),
            Command::Rset => (reset(state), done(Reply::new(250, EnhancedCode(2, 0, 0), "reset"))),
            Command::Noop => (state, done(Reply::new(250, EnhancedCode(2, 0, 0), "ok"))),
            // RFC 5321 3.5.3: we do not tell who exists; 252 is the honest answer.
            Command::Vrfy => {
                (state, done(Reply::new(252, EnhancedCode(2, 5, 0), "cannot verify, try to send something")))
            }
            Command::Expn => (state, done(Reply::new(502, EnhancedCode(5, 5, 1), "EXPN is not offered"))),
            Command::Help => {
                let reply = Reply::new(214, EnhancedCode(2, 0, 0), "see RFC 5321, and ask your postmaster");
                (state, done(reply))
            }
            Command::Quit => {
                let text = format!("{} closing connection", self.facts.hostname);
                (State::Closing, Effect::Close(Reply::new(221, EnhancedCode(2, 0, 0), text)))
            }
            Command::StartTls => self.starttls(state),
            Command::Auth { mechanism, initial } => self.auth(state, &mechanism, initial.as_deref()),
        }
    }

    /// RFC 5321 4.1.1.1: EHLO and HELO reset an open transaction; a login stays.
    fn hello(&self, state: &State, client: ClientName, extended: bool) -> Step {
        let account = match state {
            State::Identified(peer) | State::Sender(peer, _) | State::Recipients(peer, _) => {
                peer.account.clone()
            }
            _ => None,
        };
        let name = &self.facts.hostname;
        let reply = if extended {
            self.extensions(Reply::plain(250, format!("{name} greets {client}")))
        } else {
            Reply::plain(250, name.clone())
        };
        (State::Identified(Identified { client, extended, account }), Effect::Reply(reply))
    }

    fn extensions(&self, reply: Reply) -> Reply {
        let mut reply = reply
            .line("PIPELINING")
            .line(format!("SIZE {}", self.facts.max_message_size))
            .line("8BITMIME")
            .line("ENHANCEDSTATUSCODES");
        if self.facts.starttls_offered() {
            reply = reply.line("STARTTLS");
        }
        if self.facts.passwords_allowed() {
            reply = reply.line("AUTH PLAIN LOGIN");
        }
        reply
    }

    fn mail(&self, state: State, sender: Option<Address>, parameters: &MailParameters) -> Step {
        let peer = match state {
            State::Identified(peer) => peer,
            State::Greeted => return (state, say_hello_first()),
            state => return (state, out_of_sequence("a transaction is open already")),
        };
        if let Some(refusal) = self.mail_refusal(&peer, parameters) {
            return (State::Identified(peer), refusal);
        }
        let opening = Opening { sender: sender.clone(), size: parameters.size };
        (State::AwaitingSender(peer, opening), Effect::JudgeSender(sender))
    }

    fn mail_refusal(&self, peer: &Identified, parameters: &MailParameters) -> Option<Effect> {
        let with_parameters = parameters.size.is_some() || parameters.body != BodyType::SevenBit;
        if self.facts.role.authenticates() && peer.account.is_none() {
            return Some(done(authentication_required(&self.facts)));
        }
        if with_parameters && !peer.extended {
            return Some(done(Reply::new(555, EnhancedCode(5, 5, 4), "parameters need EHLO")));
        }
        if parameters.size.is_some_and(|size| size > self.facts.max_message_size) {
            return Some(done(too_large(self.facts.max_message_size)));
        }
        if self.transactions >= self.facts.max_transactions {
            let reply =
                Reply::new(421, EnhancedCode(4, 7, 0), "too many messages on one connection, reconnect");
            return Some(Effect::Close(reply));
        }
        None
    }

    fn rcpt(&self, state: State, path: ForwardPath) -> Step {
        match state {
            State::Sender(peer, transaction) => {
                (State::AwaitingRecipient(peer, transaction), Effect::JudgeRecipient(path))
            }
            State::Recipients(peer, transaction)
                if transaction.recipients().len() >= self.facts.max_recipients =>
            {
                let text = format!("at most {} recipients, send the rest later", self.facts.max_recipients);
                (State::Recipients(peer, transaction), done(Reply::new(452, EnhancedCode(4, 5, 3), text)))
            }
            State::Recipients(peer, transaction) => {
                (State::AwaitingRecipient(peer, transaction), Effect::JudgeRecipient(path))
            }
            State::Greeted => (state, say_hello_first()),
            State::Identified(ref peer) if self.facts.role.authenticates() && peer.account.is_none() => {
                let reply = authentication_required(&self.facts);
                (state, done(reply))
            }
            state => (state, out_of_sequence("MAIL comes first")),
        }
    }

    fn data(&self, state: State) -> Step {
        match state {
            State::Recipients(peer, transaction) => {
                (State::AwaitingBody(peer, transaction), Effect::OpenBody)
            }
            State::Sender(peer, transaction) => {
                let reply = Reply::new(554, EnhancedCode(5, 5, 1), "no valid recipients");
                (State::Sender(peer, transaction), done(reply))
            }
            State::Greeted => (state, say_hello_first()),
            state => (state, out_of_sequence("MAIL and RCPT come first")),
        }
    }

    fn starttls(&self, state: State) -> Step {
        if self.facts.encrypted {
            return (state, out_of_sequence("TLS is active already"));
        }
        if !self.facts.tls_available {
            return (state, done(Reply::new(502, EnhancedCode(5, 5, 1), "STARTTLS is not offered")));
        }
        (State::Greeted, Effect::StartTls(Reply::new(220, EnhancedCode(2, 0, 0), "go ahead")))
    }

    /// RFC 4954 4: not in a transaction, not twice; a password only over TLS.
    fn auth(&self, state: State, mechanism: &str, initial: Option<&str>) -> Step {
        if !self.facts.role.authenticates() {
            return (state, done(Reply::new(502, EnhancedCode(5, 5, 1), "AUTH is not offered here")));
        }
        let peer = match state {
            State::Identified(peer) if peer.extended => peer,
            State::Identified(_) | State::Greeted => return (state, say_hello_first()),
            state => return (state, out_of_sequence("not inside a transaction")),
        };
        if peer.account.is_some() {
            return (State::Identified(peer), out_of_sequence("you are logged in already"));
        }
        if !self.facts.passwords_allowed() {
            let reply = Reply::new(538, EnhancedCode(5, 7, 11), "encryption required, use STARTTLS first");
            return (State::Identified(peer), done(reply));
        }
        authenticating::begin(peer, mechanism, initial)
    }
}

/// RFC 5321 4.1.1.5.
fn reset(state: State) -> State {
    match state {
        State::Sender(peer, _) | State::Recipients(peer, _) => State::Identified(peer),
        state => state,
    }
}

/// The reply to a message that is larger than the limit (RFC 1870 6.2).
pub(crate) fn too_large(limit: u64) -> Reply {
    Reply::new(552, EnhancedCode(5, 3, 4), format!("message larger than {limit} octets"))
}

fn authentication_required(facts: &Facts) -> Reply {
    if facts.passwords_allowed() || !facts.starttls_offered() {
        Reply::new(530, EnhancedCode(5, 7, 0), "authentication required")
    } else {
        Reply::new(530, EnhancedCode(5, 7, 0), "use STARTTLS, then log in")
    }
}

fn say_hello_first() -> Effect {
    out_of_sequence("say EHLO first")
}

fn out_of_sequence(text: &'static str) -> Effect {
    done(Reply::new(503, EnhancedCode(5, 5, 1), text))
}

fn done(reply: Reply) -> Effect {
    Effect::Reply(reply)
}
