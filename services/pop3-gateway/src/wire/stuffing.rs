//! Byte-stuffing of messages (RFC 1939 3): a line that starts with a dot gets another one.

use bytes::{BufMut, BytesMut};

/// Stuffs a message that streams through; where it is cut does not matter.
#[derive(Debug, Clone)]
pub struct DotStuffer {
    /// The last two octets, to know line starts and whether the message ends with CRLF.
    tail: [u8; 2],
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { tail: *b"\r\n" }
    }
}

impl DotStuffer {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes `chunk` as passed. True if it holds no line that starts with a dot: then it may be sent as it is, without
    /// [`DotStuffer::stuff`].
    pub fn passes(&mut self, chunk: &[u8]) -> bool {
        let dotted = (self.tail[1] == b'\n' && chunk.first() == Some(&b'.'))
            || memchr::memmem::find(chunk, b"\n.").is_some();
        if !dotted {
            self.note(chunk);
        }
        !dotted
    }

    /// Writes `chunk` stuffed. A lone LF starts a line too: a client that reads it so must not see a lone dot there.
    pub fn stuff(&mut self, chunk: &[u8], out: &mut BytesMut) {
        out.reserve(chunk.len() + 16);
        if self.tail[1] == b'\n' && chunk.first() == Some(&b'.') {
            out.put_u8(b'.');
        }
        let mut from = 0;
        for at in memchr::memmem::find_iter(chunk, b"\n.") {
            out.put_slice(&chunk[from..=at]);
            out.put_u8(b'.');
            from = at + 1;
        }
        out.put_slice(&chunk[from..]);
        self.note(chunk);
    }

    /// Writes the end: the line end a message may lack, and the dot.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if self.tail != *b"\r\n" {
            out.put_slice(b"\r\n");
        }
        out.put_slice(b".\r\n");
        *self = Self::default();
    }

    fn note(&mut self, chunk: &[u8]) {
        match chunk {
            [] => {}
            [only] => self.tail = [self.tail[1], *only],
            [.., before, last] => self.tail = [*before, *last],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(chunks: &[&[u8]]) -> Vec<u8> {
        let mut stuffer = DotStuffer::new();
        let mut out = BytesMut::new();
        for chunk in chunks {
            if stuffer.passes(chunk) {
                out.put_slice(chunk);
            } else {
                stuffer.stuff(chunk, &mut out);
            }
        }
        stuffer.finish(&mut out);
        out.to_vec()
    }

    /// What a client makes of it.
    fn unstuffed(wire: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        for line in wire.split_inclusive(|b| *b == b'\n') {
            if line == b".\r\n" {
                return message;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        panic!("no final dot")
    }

    #[test]
    fn rfc1939_3_dots_at_line_starts_are_doubled() {
        assert_eq!(stuffed(&[b".a\r\n..\r\nb.\r\n.\r\n"]), b"..a\r\n...\r\nb.\r\n..\r\n.\r\n");
        assert_eq!(stuffed(&[b"a\r\n", b".", b"\r\n"]), b"a\r\n..\r\n.\r\n");
        assert_eq!(stuffed(&[]), b".\r\n");
        assert_eq!(stuffed(&[b"no end"]), b"no end\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn a_client_gets_the_message_back_however_it_is_cut(
            lines in prop::collection::vec(prop::sample::select(vec!["", ".", "..", ".x", "x", "\n.", "\r"]), 0..12),
            cuts in prop::collection::vec(0_usize..60, 0..6),
        ) {
            let message = lines.iter().map(|l| format!("{l}\r\n")).collect::<String>().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(message.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&message[from..cut]);
                from = cut;
            }
            chunks.push(&message[from..]);
            let wire = stuffed(&chunks);
            prop_assert_eq!(&wire, &stuffed(&[&message]));
            prop_assert_eq!(unstuffed(&wire), message);
        }
    }
}
