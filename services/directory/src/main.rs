//! The directory process.

use std::process::ExitCode;

use staffetta_directory::app::Directory;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<Directory>()
}
