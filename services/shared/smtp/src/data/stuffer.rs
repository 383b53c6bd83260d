//! Sending side of DATA.

use bytes::BytesMut;
use memchr::memchr;

/// Writes one body for the wire: doubles the dots that open lines and ends with CRLF.CRLF.
///
/// Byte-exact: nothing else is changed, except that a message without a final CRLF gets one. A message that
/// holds no bare CR or LF (our receiver lets none in) cannot end early.
#[derive(Debug)]
pub struct DotStuffer {
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
    Cr,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl DotStuffer {
    /// A stuffer at the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self { place: Place::LineStart }
    }

    /// Appends `chunk`, stuffed, to `out`; chunks may be split anywhere.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut BytesMut) {
        out.reserve(chunk.len() + chunk.len() / 64 + 1);
        while let Some(&first) = chunk.first() {
            match self.place {
                Place::LineStart if first == b'.' => {
                    out.extend_from_slice(b".");
                    self.place = Place::InLine;
                }
                Place::Cr if first == b'\n' => {
                    out.extend_from_slice(b"\n");
                    chunk = &chunk[1..];
                    self.place = Place::LineStart;
                }
                Place::LineStart | Place::InLine | Place::Cr => {
                    let (taken, place) = match memchr(b'\r', chunk) {
                        Some(at) => (at + 1, Place::Cr),
                        None => (chunk.len(), Place::InLine),
                    };
                    out.extend_from_slice(&chunk[..taken]);
                    chunk = &chunk[taken..];
                    self.place = place;
                }
            }
        }
    }

    /// Appends the end of the body.
    pub fn finish(self, out: &mut BytesMut) {
        match self.place {
            Place::LineStart => {}
            Place::InLine => out.extend_from_slice(b"\r\n"),
            Place::Cr => out.extend_from_slice(b"\n"),
        }
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(chunks: &[&str]) -> String {
        let (mut stuffer, mut out) = (DotStuffer::new(), BytesMut::new());
        for chunk in chunks {
            stuffer.push(chunk.as_bytes(), &mut out);
        }
        stuffer.finish(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn dots_that_open_lines_are_doubled() {
        assert_eq!(stuffed(&[".a\r\nb.\r\n.\r\n..c\r\n"]), "..a\r\nb.\r\n..\r\n...c\r\n.\r\n");
    }

    #[test]
    fn a_split_between_cr_lf_and_dot_changes_nothing() {
        assert_eq!(stuffed(&["a\r", "\n", ".", ".b\r\n"]), "a\r\n...b\r\n.\r\n");
    }

    #[test]
    fn a_missing_final_line_break_is_added() {
        assert_eq!(stuffed(&["a"]), "a\r\n.\r\n");
        assert_eq!(stuffed(&["a\r"]), "a\r\n.\r\n");
        assert_eq!(stuffed(&[]), ".\r\n");
    }
}
