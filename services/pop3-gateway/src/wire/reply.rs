//! Status lines and multi-line responses.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

/// Longest text of a status line (RFC 2449 4: 512 octets with everything).
const MAX_TEXT: usize = 400;

/// A status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK text`
    Ok(Cow<'static, str>),
    /// `-ERR [code] text`
    Err(Option<Code>, Cow<'static, str>),
}

/// Response codes (RFC 2449 8, RFC 3206 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Another session holds the maildrop.
    InUse,
    /// Too soon after the last login.
    LoginDelay,
    /// A problem that passes by itself.
    SysTemp,
    /// The credentials are the problem.
    Auth,
}

/// The lines of a multi-line response, dot-stuffed and with their end as they are added.
#[derive(Debug, Default)]
pub struct Lines(BytesMut);

// === impl Reply ===

impl Reply {
    /// `+OK text`
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Ok(text.into())
    }

    /// `-ERR text`
    pub fn err(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Err(None, text.into())
    }

    /// `-ERR [code] text`
    pub fn coded(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Err(Some(code), text.into())
    }

    /// Whether it is `+OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// Writes the line. Control characters in the text are replaced: a reply is one line whatever it says.
    pub fn encode(&self, out: &mut BytesMut) {
        let text = match self {
            Self::Ok(text) => {
                out.put_slice(b"+OK");
                text
            }
            Self::Err(code, text) => {
                out.put_slice(b"-ERR");
                if let Some(code) = code {
                    out.put_slice(b" [");
                    out.put_slice(code.name().as_bytes());
                    out.put_slice(b"]");
                }
                text
            }
        };
        if !text.is_empty() {
            out.put_slice(b" ");
        }
        let mut buffer = [0; 4];
        for c in text.chars().take(MAX_TEXT) {
            let shown = if c.is_control() { ' ' } else { c };
            out.put_slice(shown.encode_utf8(&mut buffer).as_bytes());
        }
        out.put_slice(b"\r\n");
    }
}

// === impl Code ===

impl Code {
    /// The code as in the brackets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::Auth => "AUTH",
        }
    }
}

// === impl Lines ===

impl Lines {
    /// No lines yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of our own making: no line ends in it, no dot before it.
    pub fn push(&mut self, line: &str) {
        debug_assert!(!line.starts_with('.') && !line.contains(['\r', '\n']));
        self.0.put_slice(line.as_bytes());
        self.0.put_slice(b"\r\n");
    }

    /// Everything, the terminating dot included.
    #[must_use]
    pub fn finish(mut self) -> BytesMut {
        self.0.put_slice(b".\r\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        reply.encode(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_reply_is_one_line() {
        assert_eq!(line(&Reply::ok("")), "+OK\r\n");
        assert_eq!(line(&Reply::coded(Code::SysTemp, "a\r\n+OK b")), "-ERR [SYS/TEMP] a  +OK b\r\n");
        assert!(line(&Reply::err("x".repeat(5000))).len() < 512);
    }
}
