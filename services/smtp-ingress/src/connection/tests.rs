//! Transcript tests: every file of `tests/transcripts` is a conversation with a whole ingress over loopback TCP, on the
//! memory fakes. See `transcript.rs` for the language.

mod transcript;

use std::path::{Path, PathBuf};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;

use transcript::Transcript;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

async fn play(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Transcript::parse(name, &text).play().await;
}

/// Traces on, for this thread: a test's tasks all run on it.
fn traced() -> tracing::subscriber::DefaultGuard {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

/// Makes one test of each file, and one that no file is forgotten.
macro_rules! transcripts {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            let _traced = traced();
            play(stringify!($name)).await;
        })+

        #[test]
        fn every_transcript_is_played() {
            let mut found: Vec<String> = std::fs::read_dir(folder())
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            found.sort();
            let mut known = vec![$(stringify!($name).to_owned()),+];
            known.sort();
            assert_eq!(found, known);
        }
    };
}

transcripts![
    auth_login,
    auth_only_inside_tls,
    auth_plaintext_on_loopback,
    auth_rate,
    bare_line_break_in_a_command,
    body_limits,
    budget,
    connection_rate,
    drain,
    drain_during_data,
    drain_ends_early,
    eight_bit,
    errors,
    idle,
    login_ended,
    message_rate,
    mx_delivery,
    mx_refusals,
    outages,
    over_quota,
    pipelining,
    postmaster,
    recipients_are_one_copy_each,
    routing_loop,
    sequence,
    smuggling,
    spool_full,
    starttls_injection,
    submission,
    submission_from,
    submissions,
    trace_is_continued,
    trace_of_a_stranger_is_not,
];
