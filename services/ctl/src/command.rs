//! What each command does.

mod account;
mod alias;
mod domain;
mod queue;
mod status;

use std::future::Future;

use serde::Serialize;
use staffetta_directory_api::Page;
use staffetta_message::address::Domain;

use crate::accounts_file::{Malformed, Record};
use crate::arguments::{AccountCommand, Command};
use crate::console::Console;
use crate::error::CtlError;
use crate::output::Output;
use crate::platform::Platform;

/// A command and what it needs before the platform is known.
#[derive(Debug)]
pub struct Prepared {
    command: Command,
    /// The lines of `account create --from-file`.
    records: Vec<Result<Record, Malformed>>,
}

impl Prepared {
    /// The domain that the command is about; of an import, that of its first account.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        let first = self.records.iter().find_map(|record| record.as_ref().ok());
        self.command.domain().or_else(|| first.map(|record| record.address.domain()))
    }
}

/// Reads the file that the command works on, if it does.
///
/// # Errors
/// It cannot be read.
pub fn prepare(command: Command, console: &mut Console) -> Result<Prepared, CtlError> {
    let records = match &command {
        Command::Account(AccountCommand::Create(create)) => {
            create.import.from_file.as_deref().map(|file| account::import::read(file, console)).transpose()?
        }
        _ => None,
    };
    Ok(Prepared { command, records: records.unwrap_or_default() })
}

/// Does it.
///
/// # Errors
/// What went wrong, with its exit code.
pub async fn run(prepared: Prepared, platform: &Platform, output: &mut Output<'_>) -> Result<(), CtlError> {
    match prepared.command {
        Command::Domain(command) => domain::run(command, platform, output).await,
        Command::Account(command) => account::run(command, prepared.records, platform, output).await,
        Command::Alias(command) => alias::run(command, platform, output).await,
        Command::Queue(command) => queue::run(command, platform, output).await,
        Command::Status => status::run(platform, output).await,
    }
}

/// The JSON of a deletion.
#[derive(Serialize)]
struct Deleted {
    deleted: String,
}

/// All entries of a listing that comes in pages; `name` is what an entry is sorted by.
async fn all_pages<T, F>(fetch: impl Fn(Page) -> F, name: impl Fn(&T) -> String) -> Result<Vec<T>, CtlError>
where
    F: Future<Output = Result<Vec<T>, CtlError>>,
{
    let mut entries: Vec<T> = Vec::new();
    loop {
        let page = Page { after: entries.last().map(&name), limit: Page::MAX };
        let fetched = fetch(page).await?;
        let is_last = fetched.len() < Page::MAX as usize;
        entries.extend(fetched);
        if is_last {
            return Ok(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_page_is_fetched_once() {
        let names: Vec<String> = (0..2500).map(|number| format!("{number:04}")).collect();
        let fetch = async |page: Page| {
            let after = page.after.clone().unwrap_or_default();
            Ok(names.iter().filter(|name| **name > after).take(page.capped()).cloned().collect())
        };
        let fetched = all_pages(fetch, String::clone).await.unwrap();
        assert_eq!(fetched, names);
    }
}
