//! Address lists (RFC 5322 3.4 and 4.4) as IMAP's ENVELOPE shows them (RFC 3501 7.4.2).

/// One entry of an address list: an address, or the start or end of a group. Values are raw octets,
/// unquoted but not decoded.
///
/// A group starts with `host` absent and its name in `mailbox`, and ends with both absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedAddress {
    /// The display name, or the comment of an address without one.
    pub name: Option<Vec<u8>>,
    /// The obsolete source route (`@a,@b`).
    pub adl: Option<Vec<u8>>,
    /// The local part, or the name of the group that starts here.
    pub mailbox: Option<Vec<u8>>,
    /// The domain; empty (not absent) where an address has none.
    pub host: Option<Vec<u8>>,
}

/// Parses an address list; what cannot be understood becomes an entry with an empty host.
#[must_use]
pub fn address_list(value: &[u8]) -> Vec<ListedAddress> {
    let mut parser = Parser::default();
    let mut scanner = Scanner { rest: value };
    while let Some(token) = scanner.next_token() {
        parser.token(token);
    }
    parser.finish()
}

impl ListedAddress {
    /// Whether the entry is the start or the end of a group.
    #[must_use]
    pub fn is_group_marker(&self) -> bool {
        self.host.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// An atom, a quoted string's content or a domain literal; `spaced` if white space stood before it.
    Word {
        text: Vec<u8>,
        spaced: bool,
    },
    Comment(Vec<u8>),
    Special(u8),
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn next_token(&mut self) -> Option<Token> {
        let blank = self.rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0).count();
        self.rest = &self.rest[blank..];
        let spaced = blank > 0;
        let first = *self.rest.first()?;
        Some(match first {
            b'"' => Token::Word { text: self.delimited(b'"'), spaced },
            b'[' => {
                let mut text = vec![b'['];
                text.extend(self.delimited(b']'));
                text.push(b']');
                Token::Word { text, spaced }
            }
            b'(' => Token::Comment(self.comment()),
            b'<' | b'>' | b'@' | b',' | b';' | b':' => {
                self.rest = &self.rest[1..];
                Token::Special(first)
            }
            _ => Token::Word { text: self.atom(), spaced },
        })
    }

    /// Dots are part of an atom here: a display name may hold them (obs-phrase).
    fn atom(&mut self) -> Vec<u8> {
        let end = self
            .rest
            .iter()
            .position(|b| b.is_ascii_whitespace() || b"\"[(<>@,;:\0".contains(b))
            .unwrap_or(self.rest.len());
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        atom.to_vec()
    }

    /// A quoted string or domain literal; an unterminated one takes the rest.
    fn delimited(&mut self, close: u8) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = 1;
        while let Some(&b) = self.rest.get(at) {
            at += 1;
            match b {
                b'\\' => {
                    text.extend(self.rest.get(at));
                    at += 1;
                }
                b'\r' | b'\n' | 0 => {}
                _ if b == close => break,
                _ => text.push(b),
            }
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        text
    }

    /// A comment with nested ones, without its outer parentheses.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 1_usize;
        let mut at = 1;
        while let Some(&b) = self.rest.get(at) {
            at += 1;
            match b {
                b'\\' => {
                    text.extend(self.rest.get(at));
                    at += 1;
                    continue;
                }
                b'\r' | b'\n' | 0 => continue,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            text.push(b);
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        text
    }
}

/// Where the parser stands inside one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Words of a phrase or of a local part.
    #[default]
    Phrase,
    /// After the `@` of an address without brackets.
    Host,
    /// Inside `<`, before the `@`.
    AngleLocal,
    /// Inside `<`, after the `@`.
    AngleHost,
    /// Inside `<`, in the source route.
    Route,
    /// After `>`.
    Closed,
}

#[derive(Debug, Default)]
struct Parser {
    entries: Vec<ListedAddress>,
    place: Place,
    in_group: bool,
    seen: bool,
    angle: bool,
    broken: bool,
    phrase: Vec<u8>,
    local: Vec<u8>,
    host: Vec<u8>,
    route: Vec<u8>,
    comment: Option<Vec<u8>>,
}

impl Parser {
    fn token(&mut self, token: Token) {
        match token {
            Token::Comment(text) => {
                if !text.trim_ascii().is_empty() {
                    self.comment = Some(text.trim_ascii().to_vec());
                }
            }
            Token::Word { text, spaced } => self.word(&text, spaced),
            Token::Special(special) => self.special(special),
        }
    }

    fn word(&mut self, text: &[u8], spaced: bool) {
        self.seen = true;
        match self.place {
            Place::Phrase => append(&mut self.phrase, text, spaced),
            Place::AngleLocal => append(&mut self.local, text, false),
            Place::Route => self.route.extend_from_slice(text),
            // Two words are no domain, unless a dot joins them (obs-domain).
            Place::Host | Place::AngleHost => {
                let joined = self.host.is_empty() || self.host.ends_with(b".") || text.starts_with(b".");
                self.broken |= !joined;
                append(&mut self.host, text, !joined);
            }
            Place::Closed => self.broken = true,
        }
    }

    fn special(&mut self, special: u8) {
        match (special, self.place) {
            (b',', Place::Route) => self.route.push(b','),
            (b',', _) => self.flush(),
            (b';', _) => {
                self.flush();
                self.end_group();
            }
            (b':', Place::Route) => self.place = Place::AngleLocal,
            (b':', Place::Phrase) if !self.in_group => self.start_group(),
            (b'<', Place::Phrase) => self.open_angle(),
            // `a@b <c@d>`: what stood before the bracket was a display name.
            (b'<', Place::Host) => {
                self.phrase = [&self.local[..], b"@", &self.host].concat();
                self.local.clear();
                self.host.clear();
                self.broken = false;
                self.open_angle();
            }
            (b'>', Place::AngleLocal | Place::AngleHost | Place::Route) => self.place = Place::Closed,
            (b'@', Place::Phrase) => {
                self.seen = true;
                self.local = std::mem::take(&mut self.phrase);
                self.place = Place::Host;
            }
            (b'@', Place::AngleLocal) if self.local.is_empty() && self.route.is_empty() => {
                self.route.push(b'@');
                self.place = Place::Route;
            }
            (b'@', Place::Route) => self.route.push(b'@'),
            (b'@', Place::AngleLocal) => self.place = Place::AngleHost,
            _ => self.broken = true,
        }
    }

    fn open_angle(&mut self) {
        self.seen = true;
        self.angle = true;
        self.place = Place::AngleLocal;
    }

    fn start_group(&mut self) {
        let name = std::mem::take(&mut self.phrase);
        self.entries.push(ListedAddress { mailbox: Some(name), ..ListedAddress::default() });
        self.reset();
        self.in_group = true;
    }

    fn end_group(&mut self) {
        if self.in_group {
            self.entries.push(ListedAddress::default());
            self.in_group = false;
        }
    }

    fn flush(&mut self) {
        if self.seen {
            let mailbox = if self.place == Place::Phrase {
                std::mem::take(&mut self.phrase)
            } else {
                std::mem::take(&mut self.local)
            };
            let phrase = Some(std::mem::take(&mut self.phrase)).filter(|p| self.angle && !p.is_empty());
            // A broken address must not look like a good one.
            let host = if self.broken { Vec::new() } else { std::mem::take(&mut self.host) };
            self.entries.push(ListedAddress {
                name: phrase.or_else(|| self.comment.take()),
                adl: Some(std::mem::take(&mut self.route)).filter(|r| !r.is_empty()),
                mailbox: Some(mailbox),
                host: Some(host),
            });
        }
        self.reset();
    }

    fn reset(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        *self = Self { entries, in_group: self.in_group, ..Self::default() };
    }

    fn finish(mut self) -> Vec<ListedAddress> {
        self.flush();
        self.end_group();
        self.entries
    }
}

fn append(target: &mut Vec<u8>, text: &[u8], spaced: bool) {
    if spaced && !target.is_empty() {
        target.push(b' ');
    }
    target.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> Vec<String> {
        let text = |v: &Option<Vec<u8>>| {
            v.as_ref().map_or_else(|| "NIL".to_owned(), |v| String::from_utf8_lossy(v).into_owned())
        };
        address_list(value.as_bytes())
            .iter()
            .map(|a| format!("{}|{}|{}|{}", text(&a.name), text(&a.adl), text(&a.mailbox), text(&a.host)))
            .collect()
    }

    #[test]
    fn names_addresses_and_comments() {
        assert_eq!(
            show("\"Doe, J. \\\"x\\\"\" <j@x.test>, b@y.test (Bob (B)), =?utf-8?q?=C3=A4?= A. <c@z>"),
            ["Doe, J. \"x\"|NIL|j|x.test", "Bob (B)|NIL|b|y.test", "=?utf-8?q?=C3=A4?= A.|NIL|c|z"]
        );
    }

    #[test]
    fn groups_have_start_and_end_markers() {
        assert_eq!(
            show("A Group:Chris <c@p.example>,joe@example.org; undisclosed:;"),
            [
                "NIL|NIL|A Group|NIL",
                "Chris|NIL|c|p.example",
                "NIL|NIL|joe|example.org",
                "NIL|NIL|NIL|NIL",
                "NIL|NIL|undisclosed|NIL",
                "NIL|NIL|NIL|NIL"
            ]
        );
    }

    #[test]
    fn obsolete_route_quoted_local_part_and_literal() {
        assert_eq!(
            show("Mary <@a.test,@b.test:mary@x.test>, \"o d d\"@[192.0.2.1], a . b @ c . d"),
            ["Mary|@a.test,@b.test|mary|x.test", "NIL|NIL|o d d|[192.0.2.1]", "NIL|NIL|a . b|c.d"]
        );
    }

    #[test]
    fn broken_entries_have_an_empty_host() {
        assert_eq!(show("nobody"), ["NIL|NIL|nobody|"]);
        assert_eq!(show("<>"), ["NIL|NIL||"]);
        assert_eq!(show("a@b c@d"), ["NIL|NIL|a|"]);
        assert_eq!(show(" , ,"), Vec::<String>::new());
    }
}
