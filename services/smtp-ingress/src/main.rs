//! The process `smtp-ingress`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    staffetta_chassis::run::<staffetta_smtp_ingress::SmtpIngress>()
}
