//! From a client's octets to commands: framing, literals, and recovery from nonsense.
//!
//! The decoder holds the octets and says what they are; it never waits and never writes. The driver reads into
//! [`Decoder::buffer`] only after [`Decoder::decode`] said `None`, so what is held is bounded by
//! [`Limits::command`] plus one read.

mod recovery;

use std::ops::ControlFlow;

use bytes::{Buf, Bytes, BytesMut};

use super::command::{Append, Command, LiteralAnnounced, LiteralMode, Tag};
use super::grammar::{self, Reading};
use super::limits::Limits;

/// What the client's octets mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A command, with its literals.
    Command(Command),
    /// The client waits before it sends a literal: answer with a continuation request (`+`).
    LiteralWanted,
    /// APPEND up to its message. Nothing more is decoded until [`Decoder::accept_append`] (then send `+` if the
    /// literal is synchronising) or [`Decoder::refuse_append`].
    Append {
        /// The command's tag.
        tag: Tag,
        /// Everything but the message.
        append: Append,
    },
    /// A piece of the message, never empty.
    AppendChunk(Bytes),
    /// The message and its command are complete: now, and not before, APPEND may be carried out.
    AppendEnd,
    /// The line asked for by [`Decoder::expect_line`], without its CRLF.
    Line(Bytes),
    /// Not a command. Answer `BAD`, tagged if the tag is known. A running APPEND, IDLE or AUTHENTICATE is over.
    Bad {
        /// The tag, if that much was readable.
        tag: Option<Tag>,
        /// What is wrong.
        text: &'static str,
    },
    /// The place of the next command cannot be found at a bearable cost: say `BYE` and close. Nothing follows.
    Fatal(&'static str),
}

/// The framing state machine.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    state: State,
    limits: Limits,
}

#[derive(Debug)]
enum State {
    /// The buffer starts with a command.
    Command(Progress),
    /// The buffer starts with a line that is not a command.
    Line { scanned: usize },
    /// APPEND's prefix was given to the caller, who decides.
    AppendOffered { tag: Tag, literal: LiteralAnnounced },
    /// The buffer starts with octets of APPEND's message.
    AppendMessage { tag: Tag, left: u64 },
    /// The buffer starts behind APPEND's message.
    AppendTail { tag: Tag },
    /// The buffer starts with octets of a literal nobody wants.
    Drain { left: u64 },
    /// The buffer starts with the rest of a line nobody wants; `tail` is its end so far.
    Skip { tail: Vec<u8> },
    /// Fatal must be said.
    Lost,
    /// Fatal was said.
    Broken,
}

/// How far a command has been looked at. Offsets are from the start of the buffer.
#[derive(Debug, Default)]
struct Progress {
    /// Where the line after the last literal starts.
    line: usize,
    /// Up to where there is no line end.
    scanned: usize,
    /// Where the literal that is being collected ends.
    literal_end: Option<usize>,
    /// Literals so far.
    literals: usize,
}

const TOO_LONG: &str = "command line too long";

impl Decoder {
    /// A decoder at the start of a command.
    pub fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), state: State::Command(Progress::default()), limits }
    }

    /// Sets the limits for what comes next, as when a client has logged in.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Where the driver puts the octets it has read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Throws away what has arrived, and how many octets that were. After STARTTLS whatever was sent in clear
    /// behind the command must not run (RFC 3501 6.2.1, CVE-2011-0411).
    pub fn discard_buffered(&mut self) -> usize {
        let discarded = self.buffer.len();
        self.buffer = BytesMut::new();
        self.state = State::Command(Progress::default());
        discarded
    }

    /// Whether the decoder stands between two commands with nothing of the next one: the place to say goodbye.
    pub fn is_between_commands(&self) -> bool {
        self.buffer.is_empty() && matches!(self.state, State::Command(_) | State::Line { .. })
    }

    /// The next line is not a command but the end of IDLE or an answer to AUTHENTICATE. To be called after
    /// [`Input::Command`] or [`Input::Line`] and before the next [`Decoder::decode`].
    pub fn expect_line(&mut self) {
        if matches!(self.state, State::Command(_)) {
            self.state = State::Line { scanned: 0 };
        }
    }

    /// Takes back [`Decoder::expect_line`]: the server ended IDLE or AUTHENTICATE itself.
    pub fn expect_command(&mut self) {
        if matches!(self.state, State::Line { .. }) {
            self.state = State::Command(Progress::default());
        }
    }

    /// Lets the offered APPEND stream.
    pub fn accept_append(&mut self) {
        if let State::AppendOffered { tag, literal } = &self.state {
            self.state = State::AppendMessage { tag: tag.clone(), left: literal.size };
        }
    }

    /// Refuses the offered APPEND, or gives up the one that streams; the caller answers `NO` or `BAD`. Octets
    /// that come nevertheless are dropped.
    pub fn refuse_append(&mut self) {
        self.state = match &self.state {
            // The client waits for our word: after NO it goes on with a new command.
            State::AppendOffered { literal, .. } if literal.mode == LiteralMode::Synchronizing => {
                State::Command(Progress::default())
            }
            State::AppendOffered { literal, .. } => self.drain_unasked(literal.size),
            State::AppendMessage { left, .. } => State::Drain { left: *left },
            State::AppendTail { .. } => State::Skip { tail: Vec::new() },
            _ => return,
        };
    }

    /// The next input, or `None` when more octets are needed (or a decision about an offered APPEND).
    pub fn decode(&mut self) -> Option<Input> {
        loop {
            let step = match &self.state {
                State::Command(progress) if progress.literal_end.is_some() => self.collect_literal(),
                State::Command(_) => self.command_line(),
                State::Line { .. } => self.line(),
                State::AppendMessage { .. } => self.append_message(),
                State::AppendTail { .. } => self.append_tail(),
                State::Drain { .. } => self.drain(),
                State::Skip { .. } => self.skip(),
                State::AppendOffered { .. } => need_input(),
                State::Lost => {
                    self.state = State::Broken;
                    yields(Input::Fatal("literal too large"))
                }
                State::Broken => {
                    self.buffer.clear();
                    need_input()
                }
            };
            if let ControlFlow::Break(input) = step {
                return input;
            }
        }
    }
}

/// `Continue`: the state has moved on; `Break`: an input, or nothing before more octets come.
type Step = ControlFlow<Option<Input>>;

fn need_input() -> Step {
    ControlFlow::Break(None)
}

fn yields(input: Input) -> Step {
    ControlFlow::Break(Some(input))
}

/// The end of a line in the buffer.
enum LineEnd {
    /// Behind the CRLF.
    At(usize),
    /// Behind a line feed without its carriage return.
    Bare(usize),
    /// Not there yet, and the line is longer than it may be.
    TooLong,
    /// Not there yet.
    NotYet,
}

// === decoding ===

impl Decoder {
    fn command_line(&mut self) -> Step {
        let State::Command(progress) = &mut self.state else { return ControlFlow::Continue(()) };
        let found = find_line_end(&self.buffer, progress.line, &mut progress.scanned, self.limits.line);
        let line = progress.line;
        match found {
            LineEnd::NotYet if self.buffer.len() < self.limits.command => need_input(),
            LineEnd::NotYet | LineEnd::TooLong => self.refuse_rest(TOO_LONG),
            LineEnd::At(end) | LineEnd::Bare(end)
                if end - line > self.limits.line || end > self.limits.command =>
            {
                self.refuse_rest(TOO_LONG)
            }
            LineEnd::Bare(end) => self.refuse_bare_line_feed(end),
            LineEnd::At(end) => self.read_command(end),
        }
    }

    /// Reads a command whose lines so far end at `end`.
    fn read_command(&mut self, end: usize) -> Step {
        match grammar::read(&self.buffer[..end], &self.limits) {
            Reading::Complete(command) => {
                self.buffer.advance(end);
                self.state = State::Command(Progress::default());
                yields(Input::Command(command))
            }
            Reading::Append(tag, append) => {
                self.buffer.advance(end);
                self.state = State::AppendOffered { tag: tag.clone(), literal: append.literal };
                yields(Input::Append { tag, append })
            }
            Reading::Literal(announced) => self.start_literal(end, announced),
            Reading::Malformed { tag, text } => {
                self.recover_behind(end);
                yields(Input::Bad { tag, text })
            }
        }
    }

    fn start_literal(&mut self, end: usize, announced: LiteralAnnounced) -> Step {
        let State::Command(progress) = &mut self.state else { return ControlFlow::Continue(()) };
        // The grammar has checked the size against the limit of one literal.
        let literal_end = usize::try_from(announced.size).ok().and_then(|size| end.checked_add(size));
        let Some(literal_end) = literal_end.filter(|&literal_end| literal_end <= self.limits.command) else {
            return self.refuse_line(end, TOO_LONG);
        };
        if progress.literals >= self.limits.literals {
            return self.refuse_line(end, "too many literals");
        }
        progress.literals += 1;
        progress.literal_end = Some(literal_end);
        match announced.mode {
            LiteralMode::Synchronizing => yields(Input::LiteralWanted),
            LiteralMode::NonSynchronizing => ControlFlow::Continue(()),
        }
    }

    fn collect_literal(&mut self) -> Step {
        let State::Command(progress) = &mut self.state else { return ControlFlow::Continue(()) };
        match progress.literal_end {
            Some(end) if self.buffer.len() < end => need_input(),
            Some(end) => {
                (progress.line, progress.scanned, progress.literal_end) = (end, end, None);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn line(&mut self) -> Step {
        let State::Line { scanned } = &mut self.state else { return ControlFlow::Continue(()) };
        match find_line_end(&self.buffer, 0, scanned, self.limits.line) {
            LineEnd::NotYet => need_input(),
            LineEnd::TooLong => self.refuse_untagged_rest(TOO_LONG),
            LineEnd::At(end) | LineEnd::Bare(end) if end > self.limits.line => {
                self.refuse_untagged_rest(TOO_LONG)
            }
            LineEnd::Bare(end) => {
                self.buffer.advance(end);
                self.refuse_untagged_rest("line feed without carriage return")
            }
            LineEnd::At(end) => {
                let mut line = self.buffer.split_to(end);
                line.truncate(end - 2);
                self.state = State::Command(Progress::default());
                yields(Input::Line(line.freeze()))
            }
        }
    }

    fn append_message(&mut self) -> Step {
        let State::AppendMessage { tag, left } = &mut self.state else { return ControlFlow::Continue(()) };
        if *left == 0 {
            self.state = State::AppendTail { tag: tag.clone() };
            return ControlFlow::Continue(());
        }
        if self.buffer.is_empty() {
            return need_input();
        }
        let chunk = self.buffer.split_to(at_most(self.buffer.len(), *left)).freeze();
        *left -= chunk.len() as u64;
        yields(Input::AppendChunk(chunk))
    }

    /// `append`'s CRLF. More messages (MULTIAPPEND) are not offered.
    fn append_tail(&mut self) -> Step {
        let State::AppendTail { tag } = &self.state else { return ControlFlow::Continue(()) };
        match *self.buffer {
            [] | [b'\r'] => need_input(),
            [b'\r', b'\n', ..] => {
                self.buffer.advance(2);
                self.state = State::Command(Progress::default());
                yields(Input::AppendEnd)
            }
            _ => {
                let tag = Some(tag.clone());
                self.state = State::Skip { tail: Vec::new() };
                yields(Input::Bad { tag, text: "expected the end of the command after the message" })
            }
        }
    }
}

/// Finds the end of the line that starts at `start`, looking only at what was not looked at before.
fn find_line_end(buffer: &[u8], start: usize, scanned: &mut usize, limit: usize) -> LineEnd {
    match memchr::memchr(b'\n', &buffer[*scanned..]) {
        Some(at) => {
            let at = *scanned + at;
            if at > start && buffer[at - 1] == b'\r' { LineEnd::At(at + 1) } else { LineEnd::Bare(at + 1) }
        }
        None if buffer.len() - start >= limit => LineEnd::TooLong,
        None => {
            *scanned = buffer.len();
            LineEnd::NotYet
        }
    }
}

fn at_most(available: usize, wanted: u64) -> usize {
    usize::try_from(wanted).map_or(available, |wanted| available.min(wanted))
}

#[cfg(test)]
mod tests;
