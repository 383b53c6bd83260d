//! Sessions as text files (`tests/transcripts/*.txt`), run against the session over pipes, the directory and the mailstore
//! being the in-memory fakes. Every file runs twice: commands written at once, and octet by octet.
//!
//! `C:` and `S:` lines belong to session 1, `C2:`, `S2:` to session 2. Consecutive `C` lines are one write. A `*` at the
//! end of an `S` line stands for anything. `!` lines act on the surroundings, see `surroundings.rs`; `|` lines are the
//! message of the `! deliver` before them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod pipe;
mod surroundings;
mod transcript;

use transcript::{Run, Writes};

async fn run(name: &str) {
    let path = format!("{}/tests/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for writes in [Writes::Whole, Writes::Octets] {
        Run::new(name, writes).run(&script).await;
    }
}

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            run(stringify!($name)).await;
        }
    )*};
}

transcripts! {
    auth_plain
    capabilities
    deleted_only_at_quit
    disconnect_deletes_nothing
    drain_answers_sys_temp
    dot_stuffing
    errors_end_the_session
    idle_sessions_are_closed
    lease_lost_deletes_nothing
    login_ended_by_directory
    long_lines
    message_removed_by_another_session
    passwords_need_tls
    pipelining
    rfc1939_example_session
    second_login_is_in_use
    starttls_injection
    storage_outage
    top
    uidl
    wrong_passwords
}

#[test]
fn every_transcript_is_run() {
    let folder = format!("{}/tests/transcripts", env!("CARGO_MANIFEST_DIR"));
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(listed.contains(&format!("\n    {name}\n")), "{name} is not run");
    }
}
