//! Replies of a server: the value, its text on the wire, and a tolerant reader for clients.

mod reader;

pub use reader::{ReplyError, ReplyReader};

use std::borrow::Cow;
use std::fmt;

use bytes::BytesMut;

/// Longest line of a reply in octets, CRLF included (RFC 5321 4.5.3.1.5).
const MAX_REPLY_LINE: usize = 512;

/// Enhanced status code `class.subject.detail` (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl EnhancedCode {
    /// Reads `class.subject.detail` with class 2, 4 or 5 and at most three digits each (RFC 3463 2).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| {
            let digits =
                (1..=3).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_digit());
            digits.then(|| number.parse::<u16>().ok()).flatten()
        });
        let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        numbers.next().is_none().then_some(Self(class, subject, detail))
    }
}

/// What the first digit of a reply code says (RFC 5321 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// 2yz: done.
    Completed,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: try again later.
    Transient,
    /// 5yz: never try this again.
    Permanent,
}

/// One reply: a code, perhaps an enhanced code, and one or more lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A one-line reply with an enhanced code.
    #[must_use]
    pub fn new(code: u16, enhanced: EnhancedCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A one-line reply without one: greetings, EHLO, 334 and 354 (RFC 2034 4).
    #[must_use]
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, lines: vec![text.into()] }
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// The three-digit code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, if there is one.
    #[must_use]
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The lines of text, without codes; at least one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(AsRef::as_ref)
    }

    /// The lines as one, joined by spaces.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// What the code means to whoever sent the command; a code that is none counts as transient.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.code / 100 {
            2 => Severity::Completed,
            3 => Severity::Intermediate,
            5 => Severity::Permanent,
            _ => Severity::Transient,
        }
    }

    /// Whether the command was carried out (2yz).
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.severity() == Severity::Completed
    }

    /// Appends the reply as it goes over the wire. Text can neither add lines nor exceed 512 octets a line:
    /// control characters become spaces, other octets beyond ASCII `?`, the rest is cut.
    pub fn write(&self, out: &mut BytesMut) {
        let last = self.lines.len().saturating_sub(1);
        let mut number = itoa::Buffer::new();
        for (index, line) in self.lines.iter().enumerate() {
            let start = out.len();
            out.extend_from_slice(number.format(self.code).as_bytes());
            out.extend_from_slice(if index == last { b" " } else { b"-" });
            if let Some(EnhancedCode(class, subject, detail)) = self.enhanced {
                for part in [u16::from(class), subject] {
                    out.extend_from_slice(number.format(part).as_bytes());
                    out.extend_from_slice(b".");
                }
                out.extend_from_slice(number.format(detail).as_bytes());
                out.extend_from_slice(b" ");
            }
            let room = (MAX_REPLY_LINE - 2).saturating_sub(out.len() - start);
            out.extend(line.chars().take(room).map(printable));
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    /// On one line, for logs and for diagnostic codes: `550 5.1.1 no such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

fn printable(character: char) -> u8 {
    match u8::try_from(character) {
        Ok(octet) if octet.is_ascii_control() => b' ',
        Ok(octet) if octet.is_ascii() => octet,
        _ => b'?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        reply.write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn every_line_of_a_reply_carries_both_codes() {
        let reply = Reply::new(550, EnhancedCode(5, 1, 1), "no such user").line("ask postmaster");
        assert_eq!(wire(&reply), "550-5.1.1 no such user\r\n550 5.1.1 ask postmaster\r\n");
    }

    #[test]
    fn text_cannot_inject_a_line() {
        let reply = Reply::plain(250, "a\r\n250 b\u{e9}");
        assert_eq!(wire(&reply), "250 a  250 b?\r\n");
    }

    #[test]
    fn long_text_is_cut_at_the_line_limit() {
        assert_eq!(wire(&Reply::new(421, EnhancedCode(4, 3, 2), "x".repeat(2_000))).len(), 512);
    }

    #[test]
    fn enhanced_codes_are_read_strictly() {
        assert_eq!(EnhancedCode::parse("5.1.10"), Some(EnhancedCode(5, 1, 10)));
        for bad in ["", "5.1", "5.1.1.1", "3.1.1", "5.1.", "5.1.1000", "a.b.c"] {
            assert_eq!(EnhancedCode::parse(bad), None, "{bad}");
        }
    }
}
