//! The outbound process: the queue, and delivery of what is in it.

use std::process::ExitCode;

use staffetta_outbound::Outbound;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<Outbound>()
}
