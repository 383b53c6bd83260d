//! The program `staffetta-local`.

use clap::Parser as _;
use staffetta_chassis::telemetry::{self, LogConfig, LogFormat, TelemetryConfig};
use staffetta_local::options::Options;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    staffetta_chassis::tls::install_provider();
    let log = LogConfig { format: LogFormat::Pretty, filter: options.log.clone() };
    let _guard = telemetry::init(&TelemetryConfig { log, ..TelemetryConfig::default() }, "staffetta-local")?;
    staffetta_local::run::run(options).await
}
