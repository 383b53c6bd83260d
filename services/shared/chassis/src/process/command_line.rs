//! The whole `main()` of a process.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Context, Running, Service};
use crate::config::{self, Settings};
use crate::telemetry;

/// Settings that cannot be used (`EX_CONFIG` of sysexits).
const EXIT_CONFIG: u8 = 78;

/// Reads the command line and settings, installs logs and traces, starts `S`, waits for SIGTERM or SIGINT
/// and drains. Exit code 0 after a drain, 78 for unusable settings, 1 when the service cannot start.
pub fn run<S: Service>() -> ExitCode {
    let options = command_line(S::NAME).get_matches();
    let file = options.get_one::<PathBuf>("config");
    let config = match config::load::<S::Config>(file.map(PathBuf::as_path), std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            complain(S::NAME, &format!("settings cannot be used:\n{error}"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if options.get_flag("check-config") {
        let _ = writeln!(std::io::stdout(), "settings are valid");
        return ExitCode::SUCCESS;
    }
    crate::tls::install_provider();
    match launch::<S>(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(S::NAME, &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn command_line(name: &'static str) -> Command {
    Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "A process of the Staffetta platform; settings come from a TOML file and STAFFETTA__* variables",
        )
        .arg(
            Arg::new("config")
                .long("config")
                .env("STAFFETTA_CONFIG")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("TOML file with the settings"),
        )
        .arg(
            Arg::new("check-config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Check the settings and exit: 0 valid, 78 not"),
        )
}

fn complain(name: &str, problem: &str) {
    let _ = writeln!(std::io::stderr(), "{name}: {problem}");
}

fn launch<S: Service>(config: S::Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let guard = {
        let _inside = runtime.enter();
        telemetry::init(&config.process().telemetry, S::NAME)?
    };
    log_panics();
    let result = runtime.block_on(live::<S>(config));
    if let Err(error) = &result {
        tracing::error!(error = format!("{error:#}"), "stopped by an error");
    }
    guard.shutdown();
    // Blocking work that hangs must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// A panic of a task is a log line like any other failure.
fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "panicked");
        default(panic);
    }));
}

async fn live<S: Service>(config: S::Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), service = S::NAME, "starting");
    let starting = Running::<S>::start(config, Context::new(S::NAME));
    let running = tokio::select! {
        running = starting => running?,
        name = signals.next() => {
            tracing::info!(signal = name, "stopped while starting");
            return Ok(());
        }
    };
    for (listener, address) in running.endpoints() {
        tracing::info!(listener, %address, "listening");
    }
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping");
    tokio::select! {
        () = running.stop() => tracing::info!("stopped"),
        name = signals.next() => tracing::warn!(signal = name, "second signal, stopping at once"),
    }
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
