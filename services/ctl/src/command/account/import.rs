//! `staffetta account create --from-file`: many accounts, several at once.

use std::io::Read as _;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_directory_api::{Administration as _, DirectoryError, Quota};

use super::spec;
use crate::accounts_file::{self, Malformed, Record};
use crate::arguments::AccountCreate;
use crate::console::Console;
use crate::error::CtlError;
use crate::output::{Column, Output, count};
use crate::platform::Service;

/// A larger file is no list of accounts.
const MAX_FILE: u64 = 1 << 30;

/// What became of the lines.
#[derive(Default, Serialize)]
struct Summary {
    created: u64,
    skipped: u64,
    failed: Vec<Failure>,
    not_tried: u64,
}

#[derive(Serialize)]
struct Failure {
    line: usize,
    address: Option<String>,
    reason: String,
}

/// What became of one line.
enum Outcome {
    Created,
    Skipped,
    Failed(Failure),
    /// The service is away: the others would fail as well.
    Stopped(CtlError),
}

pub(crate) fn read(file: &Path, console: &mut Console) -> Result<Vec<Result<Record, Malformed>>, CtlError> {
    let unreadable = |source| CtlError::NoInput { path: file.to_owned(), source };
    let mut octets = Vec::new();
    if file == Path::new("-") {
        console.input.by_ref().take(MAX_FILE).read_to_end(&mut octets).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(file).map_err(unreadable)?;
        file.take(MAX_FILE).read_to_end(&mut octets).map_err(unreadable)?;
    }
    let text = String::from_utf8(octets)
        .map_err(|_| CtlError::Data(format!("{} is not UTF-8 text", file.display())))?;
    Ok(accounts_file::parse(&text))
}

/// Malformed lines fail, the others are created; when directory is away the rest is not tried.
pub(super) async fn run(
    arguments: &AccountCreate,
    records: Vec<Result<Record, Malformed>>,
    directory: &Service<DirectoryClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let quota: Option<Quota> = arguments.quota.into();
    let skip = arguments.import.skip_existing;
    let total = records.len();
    let mut outcomes = stream::iter(records)
        .map(|record| async move {
            match record {
                Ok(record) => create(record, quota, skip, directory).await,
                Err(malformed) => Outcome::Failed(malformed.into()),
            }
        })
        .buffer_unordered(usize::from(arguments.import.jobs));
    let (mut summary, mut stopped) = (Summary::default(), None);
    let mut done = 0;
    while let Some(outcome) = outcomes.next().await {
        done += 1;
        match outcome {
            Outcome::Created => summary.created += 1,
            Outcome::Skipped => summary.skipped += 1,
            Outcome::Failed(failure) => summary.failed.push(failure),
            Outcome::Stopped(error) => {
                stopped = Some(error);
                done -= 1;
                break;
            }
        }
        output.console.progress(&format!("{done} of {}", count(total as u64, "account")));
    }
    drop(outcomes);
    summary.not_tried = (total - done) as u64;
    summary.failed.sort_by_key(|failure| failure.line);
    report(&summary, output)?;
    match stopped {
        Some(error) => Err(error),
        None if summary.failed.is_empty() => Ok(()),
        None => Err(CtlError::Data(format!("{} failed", count(summary.failed.len() as u64, "line")))),
    }
}

async fn create(
    record: Record,
    quota: Option<Quota>,
    skip_existing: bool,
    directory: &Service<DirectoryClient>,
) -> Outcome {
    let quota = record.quota.map(|size| Quota { bytes: size.octets(), messages: 0 }).or(quota);
    let (line, address) = (record.line, record.address.to_string());
    let answer = directory.port.create_account(spec(record.address, record.password, quota)).await;
    match answer {
        Ok(_) => Outcome::Created,
        Err(DirectoryError::AlreadyExists { .. }) if skip_existing => Outcome::Skipped,
        Err(error) => match directory.blame::<(), _>(Err(error)) {
            Ok(()) => Outcome::Created,
            Err(error) if error.concerns_the_service() => Outcome::Stopped(error),
            Err(error) => {
                Outcome::Failed(Failure { line, address: Some(address), reason: error.to_string() })
            }
        },
    }
}

fn report(summary: &Summary, output: &mut Output<'_>) -> Result<(), CtlError> {
    let mut fields = vec![
        ("created", summary.created.to_string()),
        ("skipped", summary.skipped.to_string()),
        ("failed", summary.failed.len().to_string()),
    ];
    if summary.not_tried > 0 {
        fields.push(("not tried", summary.not_tried.to_string()));
    }
    let columns = [
        Column::right("LINE", |failure: &Failure| failure.line.to_string()),
        Column::left("ADDRESS", |failure| failure.address.clone().unwrap_or_else(|| "-".to_owned())),
        Column::left("REASON", |failure| failure.reason.clone()),
    ];
    output.show(summary, &fields, || crate::output::section("failed lines", &summary.failed, &columns))
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        let Malformed { line, address, reason } = malformed;
        Self { line, address, reason }
    }
}
