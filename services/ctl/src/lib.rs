//! The `staffetta` command: domains, accounts, aliases and the queue, for people.
//!
//! [`arguments`] is the command line, [`config`] and [`platform`] find the services, [`command`] does the work, [`output`] and
//! [`error`] are the answers, [`console`] is the terminal.
//!
//! Invariants
//! - A password is read from standard input or a file, never from an argument, and is never printed.
//! - Standard output carries the result and nothing else; progress, questions and errors go to standard error.
//! - Every failure has an exit code of `sysexits.h` and says what to do about it where we know.

pub mod accounts_file;
pub mod arguments;
pub mod command;
pub mod config;
pub mod console;
pub mod endpoints;
pub mod error;
pub mod output;
pub mod platform;
pub mod size;

use std::ffi::OsString;
use std::io::Write as _;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::error::CtlError;
use crate::output::Output;
use crate::platform::Platform;

/// Does what the command line says; answers the exit code.
pub async fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
    console: &mut Console,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, console),
    };
    match carry_out(arguments, environment, console).await {
        Ok(()) => 0,
        Err(error) => {
            console.note(&format!("staffetta: {error}"));
            error.exit_code()
        }
    }
}

async fn carry_out(
    arguments: Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
    console: &mut Console,
) -> Result<(), CtlError> {
    let prepared = command::prepare(arguments.command, console)?;
    let located = config::locate(&arguments.platform.into(), environment, prepared.domain())?;
    let platform = Platform::new(located);
    command::run(prepared, &platform, &mut Output::new(console, arguments.output)).await
}

/// Help and version go to standard output, mistakes to standard error.
fn usage(error: &clap::Error, console: &mut Console) -> u8 {
    let stream = if error.use_stderr() { &mut console.err } else { &mut console.out };
    // Nobody is left to tell when the stream is gone.
    let _ = write!(stream, "{error}");
    if error.use_stderr() { CtlError::Usage(String::new()).exit_code() } else { 0 }
}
