//! Reads replies on the client's side.

use std::borrow::Cow;

use bytes::BytesMut;
use memchr::memchr;

use super::{EnhancedCode, Reply};

/// Longest line we take; the RFC says 512, servers have been seen to exceed it.
const MAX_LINE: usize = 4_096;
/// Most lines of one reply.
const MAX_LINES: usize = 128;

/// Puts replies together from a receive buffer.
///
/// Tolerant where servers are sloppy: lines may end with a bare LF, the text may be missing, an enhanced code
/// may be missing or stand on some lines only.
#[derive(Debug, Default)]
pub struct ReplyReader {
    partial: Option<Reply>,
    scanned: usize,
}

/// Why the octets are no reply; the connection is out of step and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Too long a line or too many of them.
    #[error("reply too long")]
    TooLong,
    /// No three-digit code from 200 to 599 at the start of a line.
    #[error("reply without a code")]
    NoCode,
    /// The lines of one reply carry different codes.
    #[error("reply with differing codes")]
    DifferingCodes,
}

impl ReplyReader {
    /// A reader between two replies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next whole reply from the front of `buffer`; `None` means more octets are needed.
    ///
    /// # Errors
    /// [`ReplyError`] when the octets are no reply.
    pub fn next_reply(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        while let Some(found) = memchr(b'\n', &buffer[self.scanned..]) {
            let end = self.scanned + found;
            if end > MAX_LINE {
                return Err(ReplyError::TooLong);
            }
            self.scanned = 0;
            let line = buffer.split_to(end + 1);
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            if let Some(reply) = self.line(line)? {
                return Ok(Some(reply));
            }
        }
        self.scanned = buffer.len();
        if self.scanned > MAX_LINE { Err(ReplyError::TooLong) } else { Ok(None) }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (code, last, text) = split(line)?;
        let (enhanced, text) = match text.split_once(' ').unwrap_or_else(|| (text.as_ref(), "")) {
            (word, rest) if EnhancedCode::parse(word).is_some_and(|e| u16::from(e.0) == code / 100) => {
                (EnhancedCode::parse(word), rest.trim_start().to_owned())
            }
            _ => (None, text.clone().into_owned()),
        };
        let reply = match self.partial.take() {
            None => Reply { code, enhanced, lines: vec![Cow::Owned(text)] },
            Some(partial) if partial.code != code => return Err(ReplyError::DifferingCodes),
            Some(partial) if partial.lines.len() >= MAX_LINES => return Err(ReplyError::TooLong),
            Some(partial) => Reply { enhanced: partial.enhanced.or(enhanced), ..partial }.line(text),
        };
        if last {
            return Ok(Some(reply));
        }
        self.partial = Some(reply);
        Ok(None)
    }
}

/// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`.
fn split(line: &[u8]) -> Result<(u16, bool, Cow<'_, str>), ReplyError> {
    let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::NoCode)?;
    let code = match code {
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] => {
            code.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
        }
        _ => return Err(ReplyError::NoCode),
    };
    match rest.split_first() {
        None => Ok((code, true, Cow::Borrowed(""))),
        Some((b' ', text)) => Ok((code, true, String::from_utf8_lossy(text))),
        Some((b'-', text)) => Ok((code, false, String::from_utf8_lossy(text))),
        Some(_) => Err(ReplyError::NoCode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(input: &[u8], cuts: &[usize]) -> Result<Vec<Reply>, ReplyError> {
        let (mut reader, mut buffer, mut replies, mut at) =
            (ReplyReader::new(), BytesMut::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([input.len()]) {
            let cut = cut.clamp(at, input.len());
            buffer.extend_from_slice(&input[at..cut]);
            at = cut;
            while let Some(reply) = reader.next_reply(&mut buffer)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn pipelined_replies_come_one_by_one() {
        let replies = all(b"250-one\r\n250 two\r\n550 5.1.1 no such user\r\n354\r\n25", &[]).unwrap();
        assert_eq!(
            replies,
            [
                Reply::plain(250, "one").line("two"),
                Reply::new(550, EnhancedCode(5, 1, 1), "no such user"),
                Reply::plain(354, ""),
            ]
        );
    }

    #[test]
    fn sloppy_servers_are_understood() {
        assert_eq!(all(b"220 hi\n", &[]).unwrap(), [Reply::plain(220, "hi")]);
        // An enhanced code of another class than the code is text.
        assert_eq!(all(b"250 5.1.1 x\r\n", &[]).unwrap(), [Reply::plain(250, "5.1.1 x")]);
    }

    #[test]
    fn garbage_and_floods_are_errors() {
        assert_eq!(all(b"HTTP/1.1 400 Bad\r\n", &[]), Err(ReplyError::NoCode));
        assert_eq!(all(b"99 x\r\n", &[]), Err(ReplyError::NoCode));
        assert_eq!(all(b"250-a\r\n251 b\r\n", &[]), Err(ReplyError::DifferingCodes));
        assert_eq!(all(&b"250-a\r\n".repeat(200), &[]), Err(ReplyError::TooLong));
        assert_eq!(all(&[b'2'; 5_000], &[]), Err(ReplyError::TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_replies(mut cuts in proptest::collection::vec(0usize..60, 0..8)) {
            let input = b"220 a\r\n250-x\r\n250-SIZE 1\r\n250 y\r\n451 4.3.0 later\r\n";
            cuts.sort_unstable();
            prop_assert_eq!(all(input, &cuts), all(input, &[]));
        }
    }
}
