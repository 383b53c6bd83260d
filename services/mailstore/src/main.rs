//! The mailstore process.

use std::process::ExitCode;

use staffetta_mailstore::Mailstore;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<Mailstore>()
}
