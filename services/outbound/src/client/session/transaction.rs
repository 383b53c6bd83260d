//! One message over a connection that takes mail.

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::Bytes;
use staffetta_message::address::Address;
use staffetta_outbound_api::{RecipientId, RecipientResult, RemoteReply, Verdict};
use staffetta_smtp::capabilities::Capabilities;
use staffetta_smtp::reply::{EnhancedCode, Reply};

use super::{Phase, own_reply, remote_reply, verdict_of};

/// Who gets what from whom.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// MAIL FROM; `None`: the null sender.
    pub sender: Option<Address>,
    /// RCPT TO, at least one.
    pub recipients: Vec<(RecipientId, Address)>,
    /// Whether the body holds 8-bit octets.
    pub eight_bit: bool,
    /// Size of the body in octets.
    pub size: u64,
}

/// What becomes of an 8-bit body at a server without 8BITMIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EightBitPolicy {
    /// It is returned to the sender (RFC 6152 3).
    Bounce,
    /// It is sent as it is: what nearly every server of today takes in spite of not saying so.
    Send,
}

/// What the driver does next.
#[derive(Debug)]
#[must_use]
pub enum TransactionStep {
    /// Sends these octets (maybe none), then waits for one reply.
    Send(Bytes, Phase),
    /// Sends the body up to the final dot, then waits for the reply to it.
    Body,
    /// The transaction is over.
    Finished(Outcome),
}

/// How a transaction ended.
#[derive(Debug)]
pub struct Outcome {
    /// What became of the recipients the server decided about.
    pub results: Vec<RecipientResult>,
    /// Those it did not, because the connection ended first: another host may be tried at once.
    pub undecided: Vec<RecipientId>,
    /// Why the connection ended, when it did.
    pub lost: Option<RemoteReply>,
}

/// The machine.
#[derive(Debug)]
pub struct Transaction {
    host: String,
    recipients: Vec<Standing>,
    /// Commands not yet sent, when the server does not take groups.
    unsent: VecDeque<String>,
    /// What was sent and not yet answered.
    expected: VecDeque<Expected>,
    /// The refusal of MAIL, for all.
    mail_refused: Option<RemoteReply>,
    /// The body went out; only the final reply is missing.
    dot_sent: bool,
}

#[derive(Debug)]
struct Standing {
    id: RecipientId,
    accepted: bool,
    decided: Option<(Verdict, RemoteReply)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Reset,
    Mail,
    Recipient(usize),
    Data,
    FinalDot,
    /// 354 came although every recipient was refused: an empty message ends it (RFC 2920 3.1).
    EmptyDot,
}

impl Transaction {
    /// Begins with what `host` offers. `reset`: the connection had an unfinished transaction before.
    pub fn start(
        host: &str,
        envelope: &Envelope,
        offered: &Capabilities,
        policy: EightBitPolicy,
        reset: bool,
    ) -> (Self, TransactionStep) {
        let standing =
            |(id, _): &(RecipientId, Address)| Standing { id: *id, accepted: false, decided: None };
        let mut machine = Self {
            host: host.to_owned(),
            recipients: envelope.recipients.iter().map(standing).collect(),
            unsent: VecDeque::new(),
            expected: VecDeque::new(),
            mail_refused: None,
            dot_sent: false,
        };
        if let Some(refusal) = machine.impossible(envelope, offered, policy) {
            let outcome = machine.finish(Verdict::Failed, &refusal);
            return (machine, TransactionStep::Finished(outcome));
        }
        machine.unsent = commands(envelope, offered, reset);
        let mut expected = VecDeque::new();
        expected.extend(reset.then_some(Expected::Reset));
        expected.push_back(Expected::Mail);
        expected.extend((0..envelope.recipients.len()).map(Expected::Recipient));
        expected.push_back(Expected::Data);
        machine.expected = expected;
        let first = if offered.pipelining {
            machine.unsent.drain(..).collect()
        } else {
            machine.unsent.pop_front().unwrap_or_default()
        };
        let step = TransactionStep::Send(Bytes::from(first), machine.phase());
        (machine, step)
    }

    /// Takes the next reply.
    pub fn on_reply(&mut self, reply: &Reply) -> TransactionStep {
        if reply.code() == 421 {
            // RFC 5321 3.8: the server closes. After the final dot this is its answer to the message.
            return TransactionStep::Finished(self.end(remote_reply(&self.host, reply)));
        }
        match self.expected.pop_front() {
            Some(Expected::Reset) => self.go_on(),
            Some(Expected::Mail) => {
                if !reply.is_positive() {
                    self.refuse_all(reply);
                }
                self.go_on()
            }
            Some(Expected::Recipient(index)) => {
                self.recipient(index, reply);
                self.go_on()
            }
            Some(Expected::Data) => self.data(reply),
            Some(Expected::FinalDot) => {
                let said = remote_reply(&self.host, reply);
                TransactionStep::Finished(self.finish(verdict_of(reply), &said))
            }
            Some(Expected::EmptyDot) => {
                let said = remote_reply(&self.host, reply);
                TransactionStep::Finished(self.finish(Verdict::Deferred, &said))
            }
            None => self.out_of_step(),
        }
    }

    /// The body is out, the final dot included.
    pub fn on_body_sent(&mut self) -> TransactionStep {
        self.dot_sent = true;
        TransactionStep::Send(Bytes::new(), Phase::FinalDot)
    }

    /// The connection broke, for the reason given. After the final dot nobody knows what became of the message: trying
    /// again may deliver it twice, not trying again may lose it, so it is tried again.
    pub fn on_lost(&mut self, reason: &str) -> Outcome {
        let text = match self.dot_sent {
            true => format!("{reason} after the message was sent; whether it was taken is unknown"),
            false => reason.to_owned(),
        };
        self.end(own_reply(Some(&self.host), EnhancedCode(4, 4, 2), &text))
    }

    /// Whether the final dot went out.
    #[must_use]
    pub fn is_dot_sent(&self) -> bool {
        self.dot_sent
    }

    fn recipient(&mut self, index: usize, reply: &Reply) {
        let said = remote_reply(&self.host, reply);
        let mail_refused = self.mail_refused.is_some();
        let Some(recipient) = self.recipients.get_mut(index).filter(|_| !mail_refused) else { return };
        match verdict_of(reply) {
            Verdict::Delivered => recipient.accepted = true,
            verdict => recipient.decided = Some((verdict, said)),
        }
    }

    fn data(&mut self, reply: &Reply) -> TransactionStep {
        let any_accepted = self.recipients.iter().any(|recipient| recipient.accepted);
        match (reply.code() == 354, any_accepted) {
            (true, true) => {
                self.expected.push_back(Expected::FinalDot);
                TransactionStep::Body
            }
            (true, false) => {
                self.expected.push_back(Expected::EmptyDot);
                TransactionStep::Send(Bytes::from_static(b".\r\n"), Phase::FinalDot)
            }
            (false, _) => {
                let said = remote_reply(&self.host, reply);
                // 2xx to DATA is nonsense: nothing was sent yet.
                let verdict = match verdict_of(reply) {
                    Verdict::Failed => Verdict::Failed,
                    Verdict::Delivered | Verdict::Deferred => Verdict::Deferred,
                };
                TransactionStep::Finished(self.finish(verdict, &said))
            }
        }
    }

    /// The next command of a server that takes them one by one, or the next reply of one that takes groups.
    fn go_on(&mut self) -> TransactionStep {
        let hopeless = self.mail_refused.is_some()
            || (self.expected.front() == Some(&Expected::Data)
                && self.recipients.iter().all(|recipient| !recipient.accepted));
        let Some(next) = self.unsent.pop_front() else {
            return TransactionStep::Send(Bytes::new(), self.phase());
        };
        if hopeless {
            let said = self.mail_refused.clone().unwrap_or_else(|| {
                own_reply(Some(&self.host), EnhancedCode(4, 5, 0), "no recipient was accepted")
            });
            return TransactionStep::Finished(self.finish(Verdict::Deferred, &said));
        }
        TransactionStep::Send(Bytes::from(next), self.phase())
    }

    fn refuse_all(&mut self, reply: &Reply) {
        let said = remote_reply(&self.host, reply);
        let verdict = match verdict_of(reply) {
            Verdict::Failed => Verdict::Failed,
            Verdict::Delivered | Verdict::Deferred => Verdict::Deferred,
        };
        for recipient in &mut self.recipients {
            recipient.decided = Some((verdict, said.clone()));
        }
        self.mail_refused = Some(said);
    }

    /// Gives everyone without a result this one.
    fn finish(&mut self, verdict: Verdict, said: &RemoteReply) -> Outcome {
        let result = |standing: &mut Standing| {
            let (verdict, reply) = standing.decided.take().unwrap_or_else(|| (verdict, said.clone()));
            RecipientResult { recipient: standing.id, verdict, reply }
        };
        let results = self.recipients.iter_mut().map(result).collect();
        Outcome { results, undecided: Vec::new(), lost: None }
    }

    /// The connection is over.
    fn end(&mut self, said: RemoteReply) -> Outcome {
        if self.dot_sent {
            return Outcome { lost: Some(said.clone()), ..self.finish(Verdict::Deferred, &said) };
        }
        let (mut results, mut undecided) = (Vec::new(), Vec::new());
        for standing in &mut self.recipients {
            match standing.decided.take() {
                Some((verdict, reply)) => {
                    results.push(RecipientResult { recipient: standing.id, verdict, reply });
                }
                None => undecided.push(standing.id),
            }
        }
        Outcome { results, undecided, lost: Some(said) }
    }

    fn out_of_step(&mut self) -> TransactionStep {
        TransactionStep::Finished(self.on_lost("server spoke out of turn"))
    }

    fn phase(&self) -> Phase {
        match self.expected.front() {
            Some(Expected::Reset | Expected::Mail) | None => Phase::Mail,
            Some(Expected::Recipient(_)) => Phase::Recipient,
            Some(Expected::Data) => Phase::Data,
            Some(Expected::FinalDot | Expected::EmptyDot) => Phase::FinalDot,
        }
    }

    fn impossible(
        &self,
        envelope: &Envelope,
        offered: &Capabilities,
        policy: EightBitPolicy,
    ) -> Option<RemoteReply> {
        if let Some(Some(limit)) = offered.size
            && envelope.size > limit
        {
            let text =
                format!("message of {} octets is larger than the {limit} the server takes", envelope.size);
            return Some(own_reply(Some(&self.host), EnhancedCode(5, 3, 4), &text));
        }
        if envelope.eight_bit && !offered.eight_bit_mime && policy == EightBitPolicy::Bounce {
            let text = "message holds 8-bit octets, which the server does not take";
            return Some(own_reply(Some(&self.host), EnhancedCode(5, 6, 3), text));
        }
        None
    }
}

/// `[RSET] MAIL RCPT.. DATA`, each with its line end.
fn commands(envelope: &Envelope, offered: &Capabilities, reset: bool) -> VecDeque<String> {
    let sender = envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut mail = format!("MAIL FROM:<{sender}>");
    if offered.size.is_some() {
        let _ = write!(mail, " SIZE={}", envelope.size);
    }
    if envelope.eight_bit && offered.eight_bit_mime {
        mail.push_str(" BODY=8BITMIME");
    }
    mail.push_str("\r\n");
    let mut commands = VecDeque::new();
    commands.extend(reset.then(|| "RSET\r\n".to_owned()));
    commands.push_back(mail);
    commands.extend(envelope.recipients.iter().map(|(_, address)| format!("RCPT TO:<{address}>\r\n")));
    commands.push_back("DATA\r\n".to_owned());
    commands
}
