//! Results: aligned tables for people, JSON with stable names for programs.

mod table;

use std::io::Write as _;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use serde::Serialize;

pub use self::table::{Column, Side};
use crate::console::Console;
use crate::error::CtlError;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, for reading
    #[default]
    Table,
    /// JSON with stable field names, for programs
    Json,
}

/// Writes results in the chosen format.
#[derive(Debug)]
pub struct Output<'a> {
    /// The terminal.
    pub console: &'a mut Console,
    format: Format,
}

impl<'a> Output<'a> {
    /// Results go to the standard output of `console`.
    pub fn new(console: &'a mut Console, format: Format) -> Self {
        Self { console, format }
    }

    /// Many things: a table, or a JSON array.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn list<T: Serialize>(&mut self, items: &[T], columns: &[Column<T>]) -> Result<(), CtlError> {
        match self.format {
            Format::Table => self.text(&table::grid(items, columns)),
            Format::Json => self.json(&items),
        }
    }

    /// One thing that is read as a table of `items`, and as JSON whole.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn report<R: Serialize, T>(
        &mut self,
        whole: &R,
        items: &[T],
        columns: &[Column<T>],
    ) -> Result<(), CtlError> {
        match self.format {
            Format::Table => self.text(&table::grid(items, columns)),
            Format::Json => self.json(whole),
        }
    }

    /// One thing: its fields line by line and what `details` adds, or a JSON object.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn show<T: Serialize>(
        &mut self,
        item: &T,
        fields: &[(&str, String)],
        details: impl FnOnce() -> String,
    ) -> Result<(), CtlError> {
        match self.format {
            Format::Table => self.text(&(table::fields(fields) + &details())),
            Format::Json => self.json(item),
        }
    }

    /// What was done: a sentence, or a JSON object.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn done<T: Serialize>(&mut self, item: &T, sentence: &str) -> Result<(), CtlError> {
        match self.format {
            Format::Table => self.text(&(table::clean(sentence) + "\n")),
            Format::Json => self.json(item),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), CtlError> {
        self.console.settle();
        self.console.out.write_all(text.as_bytes())?;
        Ok(self.console.out.flush()?)
    }

    fn json<T: Serialize>(&mut self, item: &T) -> Result<(), CtlError> {
        let text = serde_json::to_string_pretty(item).map_err(std::io::Error::other)?;
        self.text(&(text + "\n"))
    }
}

/// A table below the fields of one thing, after an empty line and a title.
pub(crate) fn section<T>(title: &str, items: &[T], columns: &[Column<T>]) -> String {
    match items {
        [] => String::new(),
        items => format!("\n{title}\n{}", table::grid(items, columns)),
    }
}

/// `2026-11-23T21:13:23Z`
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2h 5m`, in whole seconds, at most two units.
pub(crate) fn span(duration: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number if thing.ends_with('y') => format!("{number} {}ies", thing.trim_end_matches('y')),
        number if thing.ends_with('s') => format!("{number} {thing}es"),
        number => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_spans_and_counts_read_well() {
        assert_eq!(time(DateTime::from_timestamp(1_795_000_000, 999).unwrap()), "2026-11-18T11:06:40Z");
        assert_eq!(span(Duration::from_millis(7_505_900)), "2h 5m");
        assert_eq!(span(Duration::from_millis(900)), "0s");
        assert_eq!(count(1, "delivery"), "1 delivery");
        assert_eq!(count(0, "delivery"), "0 deliveries");
        assert_eq!(count(2, "alias"), "2 aliases");
        assert_eq!(count(2, "message"), "2 messages");
    }
}
