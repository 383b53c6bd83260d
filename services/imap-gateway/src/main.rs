//! The process `imap-gateway`.

use std::process::ExitCode;

use staffetta_imap_gateway::app::ImapGateway;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<ImapGateway>()
}
