//! The terminal: standard streams, progress, passwords and confirmations.

use std::fmt;
use std::fs;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::Path;

use secrecy::SecretString;
use staffetta_directory_api::administration::check_password;

use crate::error::CtlError;

/// Most octets that are read of a password or an answer.
const MAX_INPUT: u64 = 4096;

/// Where a command reads and writes.
pub struct Console {
    /// Standard output: results.
    pub out: Box<dyn Write + Send>,
    /// Standard error: progress, warnings, errors.
    pub err: Box<dyn Write + Send>,
    /// Standard input.
    pub input: Box<dyn Read + Send>,
    /// Whether a person sits at standard input.
    pub asks: bool,
    /// Whether a person watches standard error.
    pub watched: bool,
    /// Whether a person reads standard output (help is coloured then).
    pub read: bool,
    /// Whether the line on standard error is progress.
    dirty: bool,
}

impl fmt::Debug for Console {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Console").field("asks", &self.asks).finish_non_exhaustive()
    }
}

impl Console {
    /// The streams of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            asks: io::stdin().is_terminal(),
            watched: io::stderr().is_terminal(),
            read: io::stdout().is_terminal(),
            ..Self::of(Box::new(io::stdin()), Box::new(io::stdout()), Box::new(io::stderr()))
        }
    }

    /// Streams without a person.
    #[must_use]
    pub fn of(input: Box<dyn Read + Send>, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out, err, input, asks: false, watched: false, read: false, dirty: false }
    }

    /// Shows how far the work is, if somebody watches; the next progress replaces it.
    pub fn progress(&mut self, text: &str) {
        if self.watched {
            let _ = write!(self.err, "\r\x1b[K{text}");
            let _ = self.err.flush();
            self.dirty = true;
        }
    }

    /// Removes the progress.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.dirty) {
            let _ = write!(self.err, "\r\x1b[K");
        }
    }

    /// One line for the person, beside the result.
    pub fn note(&mut self, text: &str) {
        self.settle();
        let _ = writeln!(self.err, "{text}");
    }

    /// A new password: from `file`, typed twice without echo, or from standard input to its end.
    ///
    /// # Errors
    /// It cannot be read, or is refused.
    pub fn new_password(&mut self, file: Option<&Path>, whom: &str) -> Result<SecretString, CtlError> {
        match file {
            Some(path) => {
                let unreadable = |source| CtlError::NoInput { path: path.to_owned(), source };
                let file = fs::File::open(path).map_err(unreadable)?;
                password_of(&read_limited(file).map_err(unreadable)?)
            }
            None if self.asks => {
                let first = typed(&format!("New password for {whom}: "))?;
                let second = typed("The same again: ")?;
                if first != second {
                    return Err(CtlError::Data("the two passwords differ; nothing was changed".to_owned()));
                }
                password_of(first.as_bytes())
            }
            None => {
                let unreadable = |source| CtlError::NoInput { path: "standard input".into(), source };
                password_of(&read_limited(&mut self.input).map_err(unreadable)?)
            }
        }
    }

    /// Has the person type `word`.
    ///
    /// # Errors
    /// Nobody is there to ask ([`CtlError::Usage`]), or something else was typed.
    pub fn confirm(&mut self, question: &str, word: &str) -> Result<(), CtlError> {
        if !self.asks {
            return Err(CtlError::Usage("nobody is there to confirm this: add --yes".to_owned()));
        }
        self.note(question);
        write!(self.err, "Type {word} to go on: ")?;
        self.err.flush()?;
        match self.line()?.trim() {
            typed if typed == word => Ok(()),
            _ => Err(CtlError::Usage("not confirmed; nothing was changed".to_owned())),
        }
    }

    #[expect(clippy::unbuffered_bytes, reason = "what follows the line must stay unread")]
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        for octet in (&mut self.input).take(MAX_INPUT).bytes() {
            match octet? {
                b'\n' => break,
                octet => line.push(octet),
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn typed(prompt: &str) -> Result<String, CtlError> {
    let unreadable = |source| CtlError::NoInput { path: "the terminal".into(), source };
    rpassword::prompt_password(prompt).map_err(unreadable)
}

fn read_limited(input: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    input.take(MAX_INPUT).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The password in the text; one line end after it is not part of it.
fn password_of(octets: &[u8]) -> Result<SecretString, CtlError> {
    let refuse = |reason: &str| CtlError::Data(format!("the password cannot be used: {reason}"));
    let text = std::str::from_utf8(octets).map_err(|_| refuse("it is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.contains(['\r', '\n']) {
        return Err(refuse("it has more than one line"));
    }
    let password = SecretString::from(text);
    check_password(&password).map_err(|error| refuse(&error.to_string()))?;
    Ok(password)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_password_is_one_line_of_text() {
        for (input, password) in [("s e c\n", "s e c"), ("s\r\n", "s"), ("s", "s"), (" s ", " s ")] {
            assert_eq!(password_of(input.as_bytes()).unwrap().expose_secret(), password);
        }
        for wrong in ["", "\n", "a\nb\n", "a\r\n\r\n", &"x".repeat(1025)] {
            assert_eq!(password_of(wrong.as_bytes()).unwrap_err().exit_code(), 65, "{wrong:?}");
        }
        assert_eq!(password_of(b"\xff").unwrap_err().exit_code(), 65);
    }

    fn console(input: &'static str, asks: bool) -> Console {
        let streams = (Box::new(input.as_bytes()), Box::new(io::sink()), Box::new(io::sink()));
        Console { asks, ..Console::of(streams.0, streams.1, streams.2) }
    }

    #[test]
    fn only_the_word_itself_confirms() {
        assert!(console("a@b.test\n", true).confirm("Sure?", "a@b.test").is_ok());
        for (input, asks) in [("yes\n", true), ("", true), ("a@b.test\n", false)] {
            let refused = console(input, asks).confirm("Sure?", "a@b.test").unwrap_err();
            assert_eq!(refused.exit_code(), 64);
        }
    }
}
