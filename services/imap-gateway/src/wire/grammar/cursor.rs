//! The cursor over one command and the terminals of the grammar (RFC 3501 section 9).

use std::borrow::Cow;
use std::num::NonZeroU32;

use bytes::Bytes;
use smallvec::SmallVec;

use super::super::command::{Append, LiteralAnnounced, LiteralMode, Tag};
use super::super::limits::Limits;

/// Why parsing stopped before the end of the command.
#[derive(Debug)]
pub(in crate::wire) enum Stop {
    /// The command is not in the grammar, or exceeds a limit. The text goes to the client.
    Malformed(&'static str),
    /// The input ends where a literal's octets must follow.
    Literal(LiteralAnnounced),
    /// The input ends where APPEND's message must follow.
    Append(Append),
}

/// What a rule gives.
pub(in crate::wire) type Parsed<T> = Result<T, Stop>;

/// Upper-cased keyword, on the stack for every keyword there is.
pub(super) type Upper = SmallVec<[u8; 24]>;

/// A position in a command. Every rule leaves it behind what it has read.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    pub(super) limits: &'a Limits,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(input: &'a [u8], limits: &'a Limits) -> Self {
        Self { rest: input, limits }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Whether the input goes on with `text`; does not move.
    pub(super) fn sees(&self, text: &[u8]) -> bool {
        self.rest.starts_with(text)
    }

    /// Steps over `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.rest = &self.rest[1..];
        }
        next
    }

    /// Steps over `byte` or refuses with `text`.
    pub(super) fn expect(&mut self, byte: u8, text: &'static str) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { malformed(text) }
    }

    /// `SP`
    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "expected a space")
    }

    /// `CRLF`
    pub(super) fn crlf(&mut self, text: &'static str) -> Parsed<()> {
        if self.rest.starts_with(b"\r\n") {
            self.rest = &self.rest[2..];
            return Ok(());
        }
        malformed(text)
    }

    /// The longest run of bytes that `holds`, possibly empty.
    pub(super) fn take_while(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !holds(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A keyword of letters, digits, dots and hyphens, in upper case; empty if there is none.
    pub(super) fn keyword(&mut self) -> Upper {
        let taken = self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        taken.iter().map(u8::to_ascii_uppercase).collect()
    }

    /// A keyword of letters only, in upper case: what stands before a hyphen or a sequence set.
    pub(super) fn letters(&mut self) -> Upper {
        self.take_while(|byte| byte.is_ascii_alphabetic()).iter().map(u8::to_ascii_uppercase).collect()
    }

    /// `tag = 1*<any ASTRING-CHAR except "+">`
    pub(super) fn tag(&mut self) -> Option<Tag> {
        let tag = self.take_while(|byte| is_astring_char(byte) && byte != b'+');
        let text = std::str::from_utf8(tag).ok()?;
        (!text.is_empty()).then(|| Tag::from_parsed(text))
    }

    /// `atom = 1*ATOM-CHAR`
    pub(super) fn atom(&mut self, text: &'static str) -> Parsed<&'a str> {
        let atom = self.take_while(is_atom_char);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => malformed(text),
        }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(super) fn astring(&mut self, text: &'static str) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(text),
            _ => match self.take_while(is_astring_char) {
                [] => malformed(text),
                atom => Ok(Cow::Borrowed(atom)),
            },
        }
    }

    /// `string = quoted / literal`
    pub(super) fn string(&mut self, text: &'static str) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => malformed(text),
        }
    }

    /// `nstring = string / nil`
    pub(super) fn nstring(&mut self, text: &'static str) -> Parsed<Option<Bytes>> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string(text).map(|string| Some(owned(string)));
        }
        if self.keyword().as_slice() == b"NIL" { Ok(None) } else { malformed(text) }
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`
    ///
    /// Octets above 127 are let through: clients put UTF-8 search texts and passwords in quotes.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "expected a quoted string")?;
        let plain = self.take_while(is_plain_quoted_char);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut unescaped = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.rest = &self.rest[1..];
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => match self.rest.get(1) {
                    Some(&escaped @ (b'"' | b'\\')) => {
                        self.rest = &self.rest[2..];
                        unescaped.push(escaped);
                    }
                    _ => return malformed("only \\ and \" may be escaped in a quoted string"),
                },
                Some(byte) if is_plain_quoted_char(byte) => {
                    unescaped.extend_from_slice(self.take_while(is_plain_quoted_char));
                }
                _ => return malformed("unterminated quoted string"),
            }
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8` (RFC 3501, RFC 7888)
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let announced = self.literal_announcement()?;
        let Some(size) = usize::try_from(announced.size).ok().filter(|&size| size <= self.limits.literal)
        else {
            return malformed("literal too large");
        };
        // The input was cut at the announcement: the octets (perhaps none) and more of the line follow.
        if self.rest.is_empty() {
            return Err(Stop::Literal(announced));
        }
        let Some((octets, rest)) = self.rest.split_at_checked(size) else {
            return malformed("literal cut short");
        };
        self.rest = rest;
        if memchr::memchr(0, octets).is_some() {
            return malformed("NUL in a literal");
        }
        Ok(octets)
    }

    /// `"{" number ["+"] "}" CRLF`
    pub(super) fn literal_announcement(&mut self) -> Parsed<LiteralAnnounced> {
        self.expect(b'{', "expected a literal")?;
        let size = self.number64("expected the size of a literal")?;
        let mode = if self.eat(b'+') { LiteralMode::NonSynchronizing } else { LiteralMode::Synchronizing };
        self.expect(b'}', "expected } after the size of a literal")?;
        self.crlf("expected a line end after the size of a literal")?;
        Ok(LiteralAnnounced { size, mode })
    }

    /// `number64 = 1*DIGIT`, below 2^63 (RFC 9051; RFC 7162's mod-sequence-valzer has the same bounds)
    pub(super) fn number64(&mut self, text: &'static str) -> Parsed<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .filter(|&number| number <= i64::MAX.unsigned_abs())
            .ok_or(Stop::Malformed(text))
    }

    /// `number = 1*DIGIT`, below 2^32
    pub(super) fn number(&mut self, text: &'static str) -> Parsed<u32> {
        u32::try_from(self.number64(text)?).or_else(|_| malformed(text))
    }

    /// `nz-number = digit-nz *DIGIT`, below 2^32
    pub(super) fn nz_number(&mut self, text: &'static str) -> Parsed<NonZeroU32> {
        if self.peek() == Some(b'0') {
            return malformed(text);
        }
        NonZeroU32::new(self.number(text)?).ok_or(Stop::Malformed(text))
    }

    /// Exactly `count` digits as a number.
    pub(super) fn digits(&mut self, count: usize, text: &'static str) -> Parsed<u32> {
        match self.rest.split_at_checked(count) {
            Some((digits, rest)) if digits.iter().all(u8::is_ascii_digit) => {
                self.rest = rest;
                Ok(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
            }
            _ => malformed(text),
        }
    }

    /// `"(" item *(SP item) ")"`, at most [`Limits::list_items`]; `()` only if `may_be_empty`.
    pub(super) fn list<T>(
        &mut self,
        may_be_empty: bool,
        text: &'static str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', text)?;
        let mut items = Vec::new();
        if may_be_empty && self.eat(b')') {
            return Ok(items);
        }
        loop {
            if items.len() >= self.limits.list_items {
                return malformed("too many elements in a list");
            }
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }
}

/// Refuses with `text`.
pub(super) fn malformed<T>(text: &'static str) -> Parsed<T> {
    Err(Stop::Malformed(text))
}

/// Bytes of their own: a command outlives the buffer it was read from.
pub(super) fn owned(string: Cow<'_, [u8]>) -> Bytes {
    match string {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// `ATOM-CHAR = <any CHAR except atom-specials>`
fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub(in crate::wire) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

fn is_plain_quoted_char(byte: u8) -> bool {
    !matches!(byte, 0 | b'\r' | b'\n' | b'"' | b'\\')
}
