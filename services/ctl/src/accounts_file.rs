//! The file of `account create --from-file`: lines `address,password[,quota]` (RFC 4180 quoting).
//!
//! Blank lines and lines that begin with `#` are skipped. Spaces belong to a password, but not to an address or a quota.
//! A quoted field may hold commas; `""` in it is one quote.

use std::fmt;

use secrecy::SecretString;
use staffetta_directory_api::administration::check_password;
use staffetta_message::address::Address;

use crate::size::Size;

/// One account of the file.
#[derive(Debug)]
pub struct Record {
    /// The line it begins in, from 1.
    pub line: usize,
    /// The address.
    pub address: Address,
    /// The password.
    pub password: SecretString,
    /// The quota, if the line has one.
    pub quota: Option<Size>,
}

/// A line that cannot be used. It never quotes what might be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// The first field, if it could be an address.
    pub address: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// Reads all lines; each is judged by itself.
#[must_use]
pub fn parse(text: &str) -> Vec<Result<Record, Malformed>> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut records = Vec::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let first = reader.rest.split('\n').next().unwrap_or_default();
        if first.trim().is_empty() || first.starts_with('#') {
            reader.skip_line();
            continue;
        }
        let record = reader.fields().and_then(|fields| interpret(line, &fields));
        records.push(record.map_err(|(address, reason)| Malformed { line, address, reason }));
    }
    records
}

type Complaint = (Option<String>, String);

fn interpret(line: usize, fields: &[String]) -> Result<Record, Complaint> {
    let name = fields.first().map(|field| field.trim().to_owned()).unwrap_or_default();
    let complain = |reason: String| (shown(fields), reason);
    let (password, quota) = match fields {
        [_, password] => (password, None),
        [_, password, quota] => (password, Some(quota.trim()).filter(|quota| !quota.is_empty())),
        other => {
            let reason = format!("{} fields, expected address,password[,quota]", other.len());
            return Err(complain(reason));
        }
    };
    let address = name.parse::<Address>().map_err(|error| complain(error.to_string()))?;
    if password.contains(['\r', '\n']) {
        return Err(complain("the password has a line break".to_owned()));
    }
    let password = SecretString::from(password.as_str());
    check_password(&password).map_err(|error| complain(error.to_string()))?;
    let quota = quota.map(str::parse::<Size>).transpose().map_err(|error| complain(error.to_string()))?;
    Ok(Record { line, address, password, quota })
}

/// The address for a complaint: the first of several fields, as a lone one may be a password.
fn shown(fields: &[String]) -> Option<String> {
    match fields {
        [name, _, ..] => Some(name.trim().to_owned()).filter(|name| name.contains('@')),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// The fields of the next record. On a complaint the rest of its last line is skipped.
    fn fields(&mut self) -> Result<Vec<String>, Complaint> {
        let mut fields = Vec::new();
        loop {
            let read = if self.rest.starts_with('"') { self.quoted() } else { Ok(self.plain()) };
            match read {
                Ok(field) => fields.push(field),
                Err(reason) => {
                    self.skip_line();
                    fields.push(String::new());
                    return Err((shown(&fields), reason.to_owned()));
                }
            }
            if !self.rest.starts_with(',') {
                self.skip_line();
                return Ok(fields);
            }
            self.rest = &self.rest[1..];
        }
    }

    /// Up to a comma or the end of the line.
    fn plain(&mut self) -> String {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        // CRLF ends a line too.
        let field = if rest.starts_with(',') { field } else { field.strip_suffix('\r').unwrap_or(field) };
        field.to_owned()
    }

    /// `DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE`
    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut field = String::new();
        let mut rest = &self.rest[1..];
        loop {
            let Some((text, after)) = rest.split_once('"') else {
                self.rest = "";
                return Err("a quote is not closed");
            };
            field.push_str(text);
            self.line += text.matches('\n').count();
            if let Some(after) = after.strip_prefix('"') {
                field.push('"');
                rest = after;
                continue;
            }
            self.rest = after.trim_start_matches([' ', '\t', '\r']);
            return match self.rest.chars().next() {
                None | Some(',' | '\n') => Ok(field),
                Some(_) => Err("text after a closing quote; write a quote within quotes twice"),
            };
        }
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.line += 1;
    }
}

/// The summary of a [`Malformed`] line.
impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// `line address password quota` of each record, or `line: reason`.
    fn read(text: &str) -> Vec<String> {
        let show = |record: Result<Record, Malformed>| match record {
            Ok(record) => {
                let quota = record.quota.map(|quota| format!(" {quota}")).unwrap_or_default();
                format!("{} {} {}{quota}", record.line, record.address, record.password.expose_secret())
            }
            Err(malformed) => malformed.to_string(),
        };
        parse(text).into_iter().map(show).collect()
    }

    #[test]
    fn comments_and_blank_lines_are_skipped_and_lines_counted() {
        let text =
            "\u{feff}# accounts\r\n\r\na@north.test,one\r\n   \nb@north.test,two,10GiB\nc@north.test,three,";
        assert_eq!(read(text), ["3 a@north.test one", "5 b@north.test two 10 GiB", "6 c@north.test three"]);
    }

    #[test]
    fn quotes_protect_commas_and_quotes() {
        let text = "a@north.test,\"one, \"\"two\"\"\",5MiB\n\"#b@north.test\",\"x\" \nc@north.test, y\"z \n";
        let expected = ["1 a@north.test one, \"two\" 5 MiB", "2 #b@north.test x", "3 c@north.test  y\"z "];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn each_bad_line_is_named_and_the_others_are_read() {
        let text = "a@north.test\n@north.test,x\nb@north.test,\nc@north.test,x,much\nd@north.test,\"x\"y\n\
                    e@north.test,x,1,2\nf@north.test,\"x\ny\"\ng@north.test,good\nh@north.test,\"open\ni@north.test,x";
        let got = read(text);
        assert_eq!(got[0], "line 1: 1 fields, expected address,password[,quota]");
        assert_eq!(got[1], "line 2: the address has no local part");
        assert_eq!(got[2], "line 3: a password has 1 to 1024 octets");
        assert!(got[3].starts_with("line 4: write a size"), "{}", got[3]);
        assert!(got[4].starts_with("line 5: text after a closing quote"), "{}", got[4]);
        assert!(got[5].starts_with("line 6: 4 fields"), "{}", got[5]);
        assert_eq!(got[6], "line 7: the password has a line break");
        assert_eq!(got[7], "9 g@north.test good");
        assert_eq!(got[8..], ["line 10: a quote is not closed"]);
    }

    #[test]
    fn a_complaint_never_shows_what_may_be_a_password() {
        for text in [
            "hunter2",
            "hunt@hunter2",
            "\"hunt@hunter2",
            "hunter2,x",
            "a@north.test,\"hunter2",
            "a@north.test,hunter2,hunter2x",
        ] {
            let record = parse(text).remove(0);
            let malformed = record.unwrap_err();
            assert!(!format!("{malformed:?}").contains("hunter2"), "{malformed:?}");
        }
        let record = parse("a@north.test,hunter2").remove(0).unwrap();
        assert!(!format!("{record:?}").contains("hunter2"));
    }
}
