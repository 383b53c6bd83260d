//! Framing of command lines: only CRLF ends a line, a bare CR or LF is an error.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// Longest command line we take, in octets, CRLF included.
///
/// RFC 5321 4.5.3.1.4 says 512; parameters of extensions raise it (SIZE 26, BODY 17, AUTH 500) and RFC 4954 4
/// lets an initial response be long, up to the 12288 octets of an AUTH line.
pub const MAX_COMMAND_LINE: usize = 2_048;

/// Longest line while an AUTH exchange is open, in octets, CRLF included (RFC 4954 4).
pub const MAX_AUTH_LINE: usize = 12_288;

/// Cuts complete lines out of a receive buffer and remembers how far it has looked, so that a line arriving
/// octet by octet costs linear time.
#[derive(Debug, Default)]
pub struct LineReader {
    scanned: usize,
}

/// Why the buffer does not start with a usable line. After any of them the connection cannot be trusted to be
/// in step: answer, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The line is longer than the limit.
    #[error("line too long")]
    TooLong,
    /// A CR that no LF follows, or an LF that no CR precedes (RFC 5321 2.3.8).
    #[error("bare CR or LF in a line")]
    BareLineBreak,
}

impl LineReader {
    /// A reader at the start of a line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next line, without its CRLF, from the front of `buffer`; `None` means more octets are needed.
    ///
    /// # Errors
    /// [`LineError`] when the line is longer than `limit` octets (CRLF included) or holds a bare CR or LF.
    pub fn next_line(&mut self, buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, LineError> {
        let Some(found) = memchr2(b'\r', b'\n', &buffer[self.scanned..]) else {
            self.scanned = buffer.len();
            return if self.scanned > limit.saturating_sub(2) { Err(LineError::TooLong) } else { Ok(None) };
        };
        let end = self.scanned + found;
        if end + 2 > limit {
            return Err(LineError::TooLong);
        }
        if buffer[end] == b'\n' {
            return Err(LineError::BareLineBreak);
        }
        match buffer.get(end + 1) {
            None => {
                // The CR stays unscanned: whether it is bare is decided by the octet after it.
                self.scanned = end;
                Ok(None)
            }
            Some(b'\n') => {
                self.scanned = 0;
                let mut line = buffer.split_to(end + 2);
                line.truncate(end);
                Ok(Some(line.freeze()))
            }
            Some(_) => Err(LineError::BareLineBreak),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(input: &[u8], cuts: &[usize], limit: usize) -> Result<Vec<Bytes>, LineError> {
        let (mut reader, mut buffer, mut lines, mut at) = (LineReader::new(), BytesMut::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([input.len()]) {
            let cut = cut.clamp(at, input.len());
            buffer.extend_from_slice(&input[at..cut]);
            at = cut;
            while let Some(line) = reader.next_line(&mut buffer, limit)? {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    #[test]
    fn pipelined_lines_come_one_by_one() {
        let lines = all(b"EHLO a\r\n\r\nQUIT\r\nrest", &[], 512).unwrap();
        assert_eq!(lines, [&b"EHLO a"[..], b"", b"QUIT"]);
    }

    #[test]
    fn bare_line_breaks_are_errors() {
        for bad in [&b"EHLO a\nQUIT\r\n"[..], b"EHLO a\rQUIT\r\n", b"\n", b"a\r\r\n"] {
            assert_eq!(all(bad, &[], 512), Err(LineError::BareLineBreak), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_counts_the_crlf() {
        assert!(all(b"12345678\r\n", &[], 10).is_ok());
        assert_eq!(all(b"123456789\r\n", &[], 10), Err(LineError::TooLong));
        assert_eq!(all(b"123456789", &[], 10), Err(LineError::TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            input in proptest::collection::vec(prop::sample::select(b"ab\r\n ".to_vec()), 0..40),
            mut cuts in proptest::collection::vec(0usize..40, 0..8),
        ) {
            cuts.sort_unstable();
            prop_assert_eq!(all(&input, &cuts, 30), all(&input, &[], 30));
        }
    }
}
