//! Finding the next command after one that was refused.
//!
//! It never guesses where a command starts. The octets of a refused non-synchronising literal, and the rest of its
//! command, are dropped *as that command's*: a client that was told `BAD` in the middle must not have message
//! text run as commands.

use std::ops::ControlFlow;

use bytes::Buf;

use super::{Decoder, Input, Progress, State, Step, at_most, need_input, yields};
use crate::wire::grammar;

/// Enough of a line's end to recognise `{18446744073709551615+}` and CRLF.
const TAIL: usize = 32;

impl Decoder {
    pub(super) fn drain(&mut self) -> Step {
        let State::Drain { left } = &mut self.state else { return ControlFlow::Continue(()) };
        let dropped = at_most(self.buffer.len(), *left);
        self.buffer.advance(dropped);
        *left -= dropped as u64;
        if *left > 0 {
            return need_input();
        }
        self.state = State::Skip { tail: Vec::new() };
        ControlFlow::Continue(())
    }

    pub(super) fn skip(&mut self) -> Step {
        let State::Skip { tail } = &mut self.state else { return ControlFlow::Continue(()) };
        let Some(at) = memchr::memchr(b'\n', &self.buffer) else {
            extend_tail(tail, &self.buffer);
            self.buffer.clear();
            return need_input();
        };
        extend_tail(tail, &self.buffer[..=at]);
        self.buffer.advance(at + 1);
        if tail.ends_with(b"\r\n") {
            let tail = std::mem::take(tail);
            self.recover_after(&tail);
        }
        ControlFlow::Continue(())
    }

    /// Refuses a command whose current line is complete at `end`.
    pub(super) fn refuse_line(&mut self, end: usize, text: &'static str) -> Step {
        let tag = grammar::tag_of(&self.buffer[..end], &self.limits);
        self.recover_behind(end);
        yields(Input::Bad { tag, text })
    }

    /// Refuses a command whose current line goes on.
    pub(super) fn refuse_rest(&mut self, text: &'static str) -> Step {
        let tag = grammar::tag_of(&self.buffer, &self.limits);
        self.state = State::Skip { tail: Vec::new() };
        yields(Input::Bad { tag, text })
    }

    pub(super) fn refuse_bare_line_feed(&mut self, end: usize) -> Step {
        let tag = grammar::tag_of(&self.buffer[..end], &self.limits);
        self.buffer.advance(end);
        self.state = State::Skip { tail: Vec::new() };
        yields(Input::Bad { tag, text: "line feed without carriage return" })
    }

    pub(super) fn refuse_untagged_rest(&mut self, text: &'static str) -> Step {
        self.state = State::Skip { tail: Vec::new() };
        yields(Input::Bad { tag: None, text })
    }

    /// Drops the line up to `end` and goes where its end leads.
    pub(super) fn recover_behind(&mut self, end: usize) {
        let tail = self.buffer[end.saturating_sub(TAIL)..end].to_vec();
        self.buffer.advance(end);
        self.recover_after(&tail);
    }

    /// A refused line leads to the next command, unless it announced a literal that comes unasked.
    fn recover_after(&mut self, tail: &[u8]) {
        self.state = match unasked_literal(tail) {
            Some(size) => self.drain_unasked(size),
            None => State::Command(Progress::default()),
        };
    }

    pub(super) fn drain_unasked(&self, size: u64) -> State {
        if size > self.limits.drain { State::Lost } else { State::Drain { left: size } }
    }
}

/// The size in `{n+}` at the end of a line (CRLF included), whatever the line is, of which `tail` is at most the
/// last [`TAIL`] octets. A size beyond all numbers is the largest.
fn unasked_literal(tail: &[u8]) -> Option<u64> {
    let line = tail.strip_suffix(b"+}\r\n")?;
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = line.split_at(line.len() - digits);
    let cut = before.is_empty() && tail.len() == TAIL;
    if digits.is_empty() || !(cut || before.ends_with(b"{")) {
        return None;
    }
    Some(std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX))
}

fn extend_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
    tail.drain(..tail.len().saturating_sub(TAIL));
}
