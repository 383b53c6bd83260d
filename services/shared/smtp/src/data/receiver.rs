//! Receiving side of DATA: finds the end, removes the stuffed dots, judges the line breaks.

use bytes::{Bytes, BytesMut};
use memchr::memchr3;

/// Longest text line of a message in octets, without its CRLF (RFC 5321 4.5.3.1.6, RFC 5322 2.1.1).
pub const MAX_TEXT_LINE: usize = 998;

/// What a body may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Octets of the whole message, after the stuffed dots are removed.
    pub size: u64,
    /// Octets of one line, without its CRLF.
    pub line: usize,
}

/// Why a body that was read to its end must be refused; the first reason found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyProblem {
    /// A CR that no LF follows, or an LF that no CR precedes: some servers take it for a line end, so passing
    /// it on would let a sender smuggle a second message (RFC 5321 2.3.8).
    #[error("bare CR or LF in the message")]
    BareLineBreak,
    /// A NUL octet, which RFC 5321 4.5.2 and RFC 6152 forbid and IMAP cannot carry.
    #[error("NUL in the message")]
    Nul,
    /// A line longer than [`BodyLimits::line`].
    #[error("line of the message too long")]
    LineTooLong,
    /// More octets than [`BodyLimits::size`].
    #[error("message too large")]
    TooLarge,
}

/// Result of one [`DataReceiver::push`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Octets of the message, unstuffed; empty when there are none, or when the message is already lost.
    pub chunk: Bytes,
    /// The body has ended: what is left in the buffer are the peer's next commands.
    pub ended: bool,
}

/// Incremental receiver of one body.
///
/// Invariants: only CRLF.CRLF (or `.CRLF` as the first line) ends the body; the chunks put together do not
/// depend on how the octets were split; a body with a problem is read to its end all the same, so that no octet
/// of it can be taken for a command.
#[derive(Debug)]
pub struct DataReceiver {
    place: Place,
    line: usize,
    size: u64,
    limits: BodyLimits,
    problem: Option<BodyProblem>,
}

/// Where the last octet has left us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    /// After the dot that opened a line.
    Dot,
    /// After the CR behind such a dot.
    DotCr,
    InLine,
    /// After a CR inside a line.
    Cr,
}

impl DataReceiver {
    /// A receiver at the first octet after the reply 354.
    #[must_use]
    pub fn new(limits: BodyLimits) -> Self {
        Self { place: Place::LineStart, line: 0, size: 0, limits, problem: None }
    }

    /// Octets of the message so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Why the message must be refused, if it must; final once the body has ended.
    #[must_use]
    pub fn problem(&self) -> Option<BodyProblem> {
        self.problem
    }

    /// Consumes `buffer` up to its end or the end of the body. Dots are removed in place, so a push costs no
    /// copy unless there was a dot, and yields at most one chunk.
    pub fn push(&mut self, buffer: &mut BytesMut) -> Received {
        let (mut read, mut write, mut ended) = (0, 0, false);
        while let Some(&octet) = buffer.get(read) {
            match (self.place, octet) {
                (Place::LineStart, b'.') => {
                    self.place = Place::Dot;
                    read += 1;
                }
                (Place::Dot, b'\r') => {
                    self.place = Place::DotCr;
                    read += 1;
                }
                (Place::DotCr, b'\n') => {
                    read += 1;
                    ended = true;
                    break;
                }
                (Place::DotCr, _) => {
                    // The CR after the dot was bare; this octet is judged inside the line.
                    self.fail(BodyProblem::BareLineBreak);
                    self.place = Place::InLine;
                }
                (Place::Cr, b'\n') => {
                    self.place = Place::LineStart;
                    self.line = 0;
                    buffer[write] = b'\n';
                    read += 1;
                    write += 1;
                }
                (Place::Cr, _) => {
                    self.fail(BodyProblem::BareLineBreak);
                    self.place = Place::InLine;
                }
                (Place::LineStart | Place::Dot | Place::InLine, _) => {
                    let taken = self.text(&buffer[read..]);
                    if write != read {
                        buffer.copy_within(read..read + taken, write);
                    }
                    read += taken;
                    write += taken;
                }
            }
        }
        let mut chunk = buffer.split_to(read);
        chunk.truncate(write);
        self.size += write as u64;
        if self.size > self.limits.size {
            self.fail(BodyProblem::TooLarge);
        }
        let chunk = if self.problem.is_some() { Bytes::new() } else { chunk.freeze() };
        Received { chunk, ended }
    }

    /// Takes text up to and including the next CR, LF or NUL, and says how many octets.
    fn text(&mut self, rest: &[u8]) -> usize {
        let (taken, text) = match memchr3(b'\r', b'\n', 0, rest) {
            None => {
                self.place = Place::InLine;
                (rest.len(), rest.len())
            }
            Some(at) => {
                self.place = if rest[at] == b'\r' { Place::Cr } else { Place::InLine };
                match rest[at] {
                    b'\n' => self.fail(BodyProblem::BareLineBreak),
                    0 => self.fail(BodyProblem::Nul),
                    _ => {}
                }
                (at + 1, at)
            }
        };
        self.line += text;
        if self.line > self.limits.line {
            self.fail(BodyProblem::LineTooLong);
        }
        taken
    }

    fn fail(&mut self, problem: BodyProblem) {
        self.problem.get_or_insert(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DotStuffer;
    use proptest::prelude::*;

    const LIMITS: BodyLimits = BodyLimits { size: 1 << 20, line: MAX_TEXT_LINE };

    /// Body octets (all of them, problem or not, are dropped on a problem), rest, problem; `None` if not ended.
    type Outcome = Option<(Vec<u8>, Vec<u8>, Option<BodyProblem>)>;

    fn receive(input: &[u8], cuts: &[usize], limits: BodyLimits) -> Outcome {
        let (mut receiver, mut buffer, mut body, mut at) =
            (DataReceiver::new(limits), BytesMut::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([input.len()]) {
            let cut = cut.clamp(at, input.len());
            buffer.extend_from_slice(&input[at..cut]);
            at = cut;
            let received = receiver.push(&mut buffer);
            body.extend_from_slice(&received.chunk);
            if received.ended {
                buffer.extend_from_slice(&input[at..]);
                if receiver.problem().is_some() {
                    body.clear();
                }
                return Some((body, buffer.to_vec(), receiver.problem()));
            }
        }
        None
    }

    fn whole(input: &[u8]) -> Outcome {
        receive(input, &[], LIMITS)
    }

    #[test]
    fn ends_at_crlf_dot_crlf_and_leaves_what_follows() {
        assert_eq!(
            whole(b"a\r\nb\r\n.\r\nQUIT\r\n"),
            Some((b"a\r\nb\r\n".to_vec(), b"QUIT\r\n".to_vec(), None))
        );
    }

    #[test]
    fn an_empty_message_ends_at_its_first_line() {
        assert_eq!(whole(b".\r\nRSET\r\n"), Some((vec![], b"RSET\r\n".to_vec(), None)));
    }

    #[test]
    fn dots_are_removed_at_line_starts_the_first_included() {
        let got = whole(b"..a\r\n.b\r\nc.\r\n...\r\n..\r\n.\r\n");
        assert_eq!(got, Some((b".a\r\nb\r\nc.\r\n..\r\n.\r\n".to_vec(), vec![], None)));
    }

    #[test]
    fn smuggling_sequences_never_end_a_body_and_refuse_it() {
        for end in [
            &b"\n.\n"[..],
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r\n.\r",
            b"\r.\n",
            b"\n.\r",
            b"\n\n.\n\n",
            b"\r\n.\r\r\n",
            b"\r\r\n.\r\r\n",
            b"\r\n\n.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n\0.\r\n",
        ] {
            let mut input = b"text".to_vec();
            input.extend_from_slice(end);
            input.extend_from_slice(b"MAIL FROM:<evil@x.test>");
            assert_eq!(whole(&input), None, "{end:?}");
            input.extend_from_slice(b"\r\n.\r\nNOOP\r\n");
            let (_, rest, problem) = whole(&input).unwrap();
            assert_eq!(rest, b"NOOP\r\n", "{end:?}");
            assert!(problem.is_some(), "{end:?}");
        }
    }

    #[test]
    fn lines_and_sizes_over_the_limit_are_refused_after_the_end() {
        let limits = BodyLimits { size: 20, line: 5 };
        assert_eq!(receive(b"12345\r\n.\r\n", &[], limits).unwrap().2, None);
        assert_eq!(receive(b".12345\r\n.\r\n", &[], limits).unwrap().2, None);
        assert_eq!(receive(b"123456\r\n.\r\n", &[], limits).unwrap().2, Some(BodyProblem::LineTooLong));
        let large = b"1\r\n".repeat(7);
        let mut input = large;
        input.extend_from_slice(b".\r\n");
        assert_eq!(receive(&input, &[], limits).unwrap().2, Some(BodyProblem::TooLarge));
    }

    proptest! {
        #[test]
        fn any_split_equals_the_whole(
            input in proptest::collection::vec(prop::sample::select(b"ab..\r\n\r\n\0".to_vec()), 0..40),
            mut cuts in proptest::collection::vec(0usize..40, 0..10),
        ) {
            cuts.sort_unstable();
            // The order in which two problems are seen may differ by split for the size alone.
            let strip = |o: Outcome| o.map(|(body, rest, problem)| (body, rest, problem.is_some()));
            prop_assert_eq!(strip(receive(&input, &cuts, LIMITS)), strip(whole(&input)));
        }

        #[test]
        fn stuffing_round_trips_at_any_split(
            lines in proptest::collection::vec("[a.]{0,5}", 0..10),
            mut cuts in proptest::collection::vec(0usize..80, 0..10),
            mut wire_cuts in proptest::collection::vec(0usize..80, 0..10),
        ) {
            cuts.sort_unstable();
            wire_cuts.sort_unstable();
            let message: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
            let (mut stuffer, mut wire, mut at) = (DotStuffer::new(), BytesMut::new(), 0);
            for cut in cuts.into_iter().chain([message.len()]) {
                let cut = cut.clamp(at, message.len());
                stuffer.push(&message[at..cut], &mut wire);
                at = cut;
            }
            stuffer.finish(&mut wire);
            prop_assert_eq!(receive(&wire, &wire_cuts, LIMITS), Some((message, vec![], None)));
        }
    }
}
