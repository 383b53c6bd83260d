//! The command `staffetta`.

use std::process::ExitCode;

use staffetta_ctl::console::Console;

#[tokio::main]
async fn main() -> ExitCode {
    staffetta_chassis::tls::install_provider();
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment = std::env::vars_os().filter_map(text);
    let code = staffetta_ctl::run(std::env::args_os(), environment, &mut Console::of_process()).await;
    ExitCode::from(code)
}
