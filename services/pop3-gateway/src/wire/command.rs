//! Commands of RFC 1939, RFC 2449 (CAPA), RFC 2595 (STLS) and RFC 5034 (AUTH).

use secrecy::SecretString;

/// A parsed command. Debug shows no password.
#[derive(Debug, Clone)]
pub enum Command {
    /// `USER name`
    User(String),
    /// `PASS string`: all of the line after one space, for a password may hold spaces.
    Pass(SecretString),
    /// `AUTH [mechanism [initial-response]]`; bare `AUTH` asks for the mechanisms.
    Auth(Option<AuthArguments>),
    /// `STLS`
    Stls,
    /// `CAPA`
    Capa,
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<u32>),
    /// `UIDL [msg]`
    Uidl(Option<u32>),
    /// `RETR msg`
    Retr(u32),
    /// `TOP msg n`
    Top {
        /// The message.
        message: u32,
        /// How many lines of its body.
        lines: u32,
    },
    /// `DELE msg`
    Dele(u32),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
}

/// Arguments of AUTH.
#[derive(Debug, Clone)]
pub struct AuthArguments {
    /// The mechanism's name as written.
    pub mechanism: String,
    /// The initial response as on the wire.
    pub initial: Option<SecretString>,
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The keyword is not known.
    #[error("unknown command")]
    Unknown,
    /// The arguments are missing, too many or malformed.
    #[error("invalid arguments")]
    Arguments,
    /// The line is not printable UTF-8.
    #[error("invalid characters")]
    Characters,
}

impl Command {
    /// Parses a line without its line end.
    ///
    /// # Errors
    /// [`SyntaxError`].
    pub fn parse(line: &[u8]) -> Result<Self, SyntaxError> {
        let text = std::str::from_utf8(line).map_err(|_| SyntaxError::Characters)?;
        if text.chars().any(char::is_control) {
            return Err(SyntaxError::Characters);
        }
        let (keyword, rest) =
            text.split_once(' ').map_or((text, None), |(keyword, rest)| (keyword, Some(rest)));
        let arguments: Vec<&str> = rest.unwrap_or_default().split(' ').filter(|a| !a.is_empty()).collect();
        match (keyword.to_ascii_uppercase().as_str(), arguments.as_slice()) {
            ("USER", [_, ..]) => Ok(Self::User(rest.unwrap_or_default().trim().to_owned())),
            ("PASS", _) => match rest {
                Some(password) if !password.is_empty() => Ok(Self::Pass(SecretString::from(password))),
                _ => Err(SyntaxError::Arguments),
            },
            ("AUTH", []) => Ok(Self::Auth(None)),
            ("AUTH", [mechanism]) => Ok(Self::auth(mechanism, None)),
            ("AUTH", [mechanism, initial]) => Ok(Self::auth(mechanism, Some(initial))),
            ("STLS", []) => Ok(Self::Stls),
            ("CAPA", []) => Ok(Self::Capa),
            ("STAT", []) => Ok(Self::Stat),
            ("LIST", []) => Ok(Self::List(None)),
            ("LIST", [message]) => number(message).map(|n| Self::List(Some(n))),
            ("UIDL", []) => Ok(Self::Uidl(None)),
            ("UIDL", [message]) => number(message).map(|n| Self::Uidl(Some(n))),
            ("RETR", [message]) => number(message).map(Self::Retr),
            ("TOP", [message, lines]) => Ok(Self::Top { message: number(message)?, lines: number(lines)? }),
            ("DELE", [message]) => number(message).map(Self::Dele),
            ("RSET", []) => Ok(Self::Rset),
            ("NOOP", []) => Ok(Self::Noop),
            ("QUIT", []) => Ok(Self::Quit),
            (
                "USER" | "AUTH" | "STLS" | "CAPA" | "STAT" | "LIST" | "UIDL" | "RETR" | "TOP" | "DELE"
                | "RSET" | "NOOP" | "QUIT",
                _,
            ) => Err(SyntaxError::Arguments),
            _ => Err(SyntaxError::Unknown),
        }
    }

    fn auth(mechanism: &str, initial: Option<&str>) -> Self {
        Self::Auth(Some(AuthArguments {
            mechanism: mechanism.to_owned(),
            initial: initial.map(SecretString::from),
        }))
    }
}

/// Decimal digits only; zero is a number too (no message has it, `TOP n 0` does).
fn number(text: &str) -> Result<u32, SyntaxError> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| SyntaxError::Arguments)
    } else {
        Err(SyntaxError::Arguments)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn error(line: &str) -> SyntaxError {
        Command::parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn keywords_have_any_case_and_numbers_are_bounded() {
        assert!(matches!(Command::parse(b"top 3 0"), Ok(Command::Top { message: 3, lines: 0 })));
        assert!(matches!(Command::parse(b"List  7 "), Ok(Command::List(Some(7)))));
        for line in [
            "RETR",
            "RETR x",
            "RETR -1",
            "RETR +1",
            "RETR 4294967296",
            "RETR 1 2",
            "STAT 1",
            "TOP 1",
            "USER",
            "PASS",
            "PASS ",
        ] {
            assert_eq!(error(line), SyntaxError::Arguments, "{line}");
        }
        assert_eq!(error("APOP a b"), SyntaxError::Unknown);
        assert_eq!(error(""), SyntaxError::Unknown);
        assert_eq!(error("NOOP\0"), SyntaxError::Characters);
    }

    #[test]
    fn a_password_keeps_its_spaces_and_stays_out_of_debug() {
        let Ok(command) = Command::parse(b"PASS  two words ") else { panic!() };
        assert!(!format!("{command:?}").contains("two"));
        let Command::Pass(password) = command else { panic!() };
        assert_eq!(password.expose_secret(), " two words ");
    }

    proptest! {
        #[test]
        fn arbitrary_lines_never_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&line);
        }
    }
}
