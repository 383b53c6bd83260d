//! The process `pop3-gateway`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<staffetta_pop3_gateway::Pop3Gateway>()
}
