//! The crate arrows of `services/README.md`, read from `cargo metadata`.
//!
//! A service never depends on another service, only on its `api`; the chassis depends on nothing of ours; SQL stays with the
//! three owners of data. A new crate must be entered here, which is the moment to think about its arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each of our crates with those of ours that it may depend on (dev-dependencies aside).
const ARROWS: &[(&str, &[&str])] = &[
    ("staffetta-proto", &[]),
    ("staffetta-chassis", &[]),
    ("staffetta-message", &[]),
    ("staffetta-sasl", &[]),
    ("staffetta-smtp", &["message"]),
    ("staffetta-packs", &["chassis"]),
    ("staffetta-directory-api", &["chassis", "message", "proto"]),
    ("staffetta-mailstore-api", &["chassis", "directory-api", "message", "proto"]),
    ("staffetta-outbound-api", &["chassis", "directory-api", "mailstore-api", "message", "proto"]),
    ("staffetta-directory", &["chassis", "directory-api", "message"]),
    ("staffetta-mailstore", &["chassis", "directory-api", "mailstore-api", "message", "packs"]),
    (
        "staffetta-outbound",
        &["chassis", "directory-api", "mailstore-api", "message", "outbound-api", "packs", "sasl", "smtp"],
    ),
    (
        "staffetta-smtp-ingress",
        &["chassis", "directory-api", "mailstore-api", "message", "outbound-api", "sasl", "smtp"],
    ),
    ("staffetta-imap-gateway", &["chassis", "directory-api", "mailstore-api", "message", "sasl"]),
    ("staffetta-pop3-gateway", &["chassis", "directory-api", "mailstore-api", "message", "sasl"]),
    ("staffetta-ctl", &["chassis", "directory-api", "mailstore-api", "message", "outbound-api"]),
];

/// The only crates that may see everything: they put processes together and try them.
const ASSEMBLIES: &[&str] = &["staffetta-local", "staffetta-tests"];

/// The only crates that may speak SQL.
const SQL: &[&str] =
    &["staffetta-chassis", "staffetta-directory", "staffetta-mailstore", "staffetta-outbound"];

/// The pure crates: no runtime, no clock, no randomness, no wire schema.
const PURE: &[&str] = &["staffetta-message", "staffetta-sasl", "staffetta-smtp"];
const IMPURE: &[&str] = &["tokio", "tonic", "prost", "sqlx", "rand", "tracing", "redis", "object_store"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let normal = |dependency: &&serde_json::Value| dependency["kind"].is_null();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            (
                name(package),
                package["dependencies"].as_array().unwrap().iter().filter(normal).map(name).collect(),
            )
        })
        .collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let allowed: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(from, to)| (*from, to.iter().map(|name| format!("staffetta-{name}")).collect()))
        .collect();
    for (package, dependencies) in dependencies() {
        if ASSEMBLIES.contains(&package.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(package.as_str()) else {
            panic!("{package} has no arrows: enter it in ARROWS")
        };
        let ours = dependencies.iter().filter(|name| name.starts_with("staffetta-"));
        let forbidden: Vec<_> = ours.filter(|name| !allowed.contains(*name)).collect();
        assert!(forbidden.is_empty(), "{package} must not depend on {forbidden:?}");
    }
}

#[test]
fn only_owners_of_data_speak_sql() {
    for (package, dependencies) in dependencies() {
        let may = SQL.contains(&package.as_str()) || ASSEMBLIES.contains(&package.as_str());
        assert!(may || !dependencies.contains("sqlx"), "{package} must not depend on sqlx");
    }
}

#[test]
fn wire_crates_are_pure() {
    let dependencies = dependencies();
    for package in PURE {
        let impure: Vec<_> = IMPURE.iter().filter(|name| dependencies[*package].contains(**name)).collect();
        assert!(impure.is_empty(), "{package} must not depend on {impure:?}");
    }
}
