//! The command line of `staffetta-local`.

use std::path::PathBuf;

use clap::Parser;

/// Whole mail platforms on this machine: for trying, developing and end-to-end tests.
///
/// Starts north.test and south.test in one process, each on its own loopback address with its own database (a private
/// PostgreSQL from the system's programs) and folder of objects, one throw-away CA and one loopback DNS zone. Then a mail goes
/// from alice@north.test to bob@south.test, and everything stays up until Ctrl-C.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Mail clients: use a login shown on the screen, its password, and the host and ports beside it.\n\
    The staffetta command finds the platforms by the file: staffetta --endpoints FILE account list"
)]
pub struct Options {
    /// Keep everything here, so that a second start finds the mail [default: a folder that is removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many platforms
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub sites: u8,
    /// End after the demonstration; the exit code tells whether the mail arrived
    #[arg(long, conflicts_with = "no_demo")]
    pub demo_and_exit: bool,
    /// No demonstration
    #[arg(long)]
    pub no_demo: bool,
    /// Write where everything is, as JSON, once all of it is ready
    #[arg(long, value_name = "FILE")]
    pub endpoints: Option<PathBuf>,
    /// What to log to standard error, e.g. info or staffetta_outbound=debug
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub log: String,
}
