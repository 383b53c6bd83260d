//! Commands of an SMTP client, parsed from one framed line (RFC 5321 4.1.1).

mod parameter;
mod path;

pub use parameter::{BodyType, MailParameters};
pub use path::{ForwardPath, ReversePath};

use std::fmt;

use crate::reply::{EnhancedCode, Reply};

/// Longest argument of EHLO or HELO we keep, in octets (RFC 5321 4.5.3.1.2).
const MAX_CLIENT_NAME: usize = 255;

/// One command, valid in its grammar; whether it is in sequence is the session's matter.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name`.
    Ehlo(ClientName),
    /// `HELO name`.
    Helo(ClientName),
    /// `MAIL FROM:<path> parameters`.
    Mail(ReversePath, MailParameters),
    /// `RCPT TO:<path>`.
    Rcpt(ForwardPath),
    /// `DATA`.
    Data,
    /// `RSET`.
    Rset,
    /// `NOOP`, argument ignored.
    Noop,
    /// `VRFY string`.
    Vrfy,
    /// `EXPN string`.
    Expn,
    /// `HELP`.
    Help,
    /// `QUIT`.
    Quit,
    /// `STARTTLS` (RFC 3207).
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954).
    Auth {
        /// Mechanism in upper case.
        mechanism: String,
        /// The base64 text as sent, `=` for an empty response.
        initial: Option<String>,
    },
}

impl fmt::Debug for Command {
    /// Leaves the initial response of AUTH out: it holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth { mechanism, .. } => write!(f, "AUTH {mechanism} .."),
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::Mail(path, parameters) => write!(f, "MAIL {path:?} {parameters:?}"),
            Self::Rcpt(path) => write!(f, "RCPT {path:?}"),
            other => f.write_str(other.verb()),
        }
    }
}

/// What a client calls itself: printable ASCII without spaces, at most 255 octets. Neither checked nor believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// The name as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(argument: &str) -> Result<Self, CommandError> {
        let name = argument.trim_matches(' ');
        let fits = !name.is_empty() && name.len() <= MAX_CLIENT_NAME;
        if fits && name.bytes().all(|octet| octet.is_ascii_graphic() && !b"()<>\\\"".contains(&octet)) {
            Ok(Self(name.to_owned()))
        } else {
            Err(CommandError::Syntax("give your host name or [address]"))
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such verb.
    #[error("unknown command")]
    Unknown,
    /// The verb is known, its argument is not what the grammar asks; the text says what it should be.
    #[error("syntax error: {0}")]
    Syntax(&'static str),
    /// MAIL with an address that is none.
    #[error("bad sender address: {0}")]
    BadSender(&'static str),
    /// RCPT with an address that is none.
    #[error("bad recipient address: {0}")]
    BadRecipient(&'static str),
    /// An address with octets beyond ASCII; SMTPUTF8 is not offered.
    #[error("address needs SMTPUTF8")]
    NeedsUtf8,
    /// A parameter of MAIL or RCPT that no offered extension defines.
    #[error("unknown parameter")]
    UnknownParameter,
    /// A parameter of MAIL whose value is wrong.
    #[error("bad value of parameter {0}")]
    BadParameter(&'static str),
}

impl CommandError {
    /// The reply that tells the client.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Unknown => Reply::new(500, EnhancedCode(5, 5, 1), "unknown command"),
            Self::Syntax(hint) => Reply::new(501, EnhancedCode(5, 5, 4), format!("syntax error: {hint}")),
            Self::BadSender(hint) => {
                Reply::new(501, EnhancedCode(5, 1, 7), format!("bad sender address: {hint}"))
            }
            Self::BadRecipient(hint) => {
                Reply::new(501, EnhancedCode(5, 1, 3), format!("bad recipient address: {hint}"))
            }
            Self::NeedsUtf8 => {
                Reply::new(553, EnhancedCode(5, 6, 7), "non-ASCII addresses are not supported")
            }
            Self::UnknownParameter => Reply::new(555, EnhancedCode(5, 5, 4), "parameter not recognized"),
            Self::BadParameter(name) => {
                Reply::new(501, EnhancedCode(5, 5, 4), format!("bad value of parameter {name}"))
            }
        }
    }
}

impl Command {
    /// Parses one line without its CRLF. Verbs are taken in any case (RFC 5321 2.4).
    ///
    /// # Errors
    /// [`CommandError`], which knows its reply.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(Self::not_ascii(line));
        };
        if !text.is_ascii() {
            return Err(Self::not_ascii(line));
        }
        if text.bytes().any(|octet| octet.is_ascii_control() && octet != b'\t') {
            return Err(CommandError::Syntax("control character"));
        }
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => ClientName::parse(argument).map(Self::Ehlo),
            "HELO" => ClientName::parse(argument).map(Self::Helo),
            "MAIL" => mail(argument),
            "RCPT" => rcpt(argument),
            "DATA" => alone(argument, Self::Data),
            "RSET" => alone(argument, Self::Rset),
            "QUIT" => alone(argument, Self::Quit),
            "STARTTLS" => alone(argument, Self::StartTls),
            "NOOP" => Ok(Self::Noop),
            "HELP" => Ok(Self::Help),
            "VRFY" if argument.trim().is_empty() => Err(CommandError::Syntax("VRFY address")),
            "VRFY" => Ok(Self::Vrfy),
            "EXPN" => Ok(Self::Expn),
            "AUTH" => auth(argument),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The verb, for logs and metrics: never the argument.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Ehlo(_) => "EHLO",
            Self::Helo(_) => "HELO",
            Self::Mail(..) => "MAIL",
            Self::Rcpt(_) => "RCPT",
            Self::Data => "DATA",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth { .. } => "AUTH",
        }
    }

    fn not_ascii(line: &[u8]) -> CommandError {
        match line.get(..5).map(<[u8]>::to_ascii_uppercase).as_deref() {
            Some(b"MAIL " | b"RCPT ") => CommandError::NeedsUtf8,
            _ => CommandError::Syntax("only ASCII is understood"),
        }
    }
}

/// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`; a space after the colon is forgiven, as every
/// large server does.
fn mail(argument: &str) -> Result<Command, CommandError> {
    let rest = after_keyword(argument, "FROM:").ok_or(CommandError::Syntax("MAIL FROM:<address>"))?;
    let (path, rest) = path::reverse_path(rest)?;
    Ok(Command::Mail(path, parameter::mail_parameters(rest)?))
}

/// `rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF`.
fn rcpt(argument: &str) -> Result<Command, CommandError> {
    let rest = after_keyword(argument, "TO:").ok_or(CommandError::Syntax("RCPT TO:<address>"))?;
    let (path, rest) = path::forward_path(rest)?;
    if rest.trim().is_empty() { Ok(Command::Rcpt(path)) } else { Err(CommandError::UnknownParameter) }
}

/// `auth-command = "AUTH" SP sasl-mech [SP initial-response]` (RFC 4954 8).
fn auth(argument: &str) -> Result<Command, CommandError> {
    let mut words = argument.split_ascii_whitespace();
    let (mechanism, initial, more) = (words.next(), words.next(), words.next());
    match mechanism {
        Some(mechanism) if more.is_none() && mechanism.len() <= 20 => Ok(Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial: initial.map(str::to_owned),
        }),
        _ => Err(CommandError::Syntax("AUTH mechanism [initial-response]")),
    }
}

fn alone(argument: &str, command: Command) -> Result<Command, CommandError> {
    if argument.trim().is_empty() { Ok(command) } else { Err(CommandError::Syntax("no argument is allowed")) }
}

fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let argument = argument.trim_start_matches(' ');
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

#[cfg(test)]
mod tests;
