//! Compiles every `.proto` below `staffetta/` without protoc and writes three things: the generated
//! modules, `modules.rs` (which includes them as `<service>::v1`), and the descriptor set for reflection.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=staffetta");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    collect(Path::new("staffetta"), &mut files)?;
    files.sort();

    let descriptors = protox::compile(&files, ["."])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("modules.rs"), modules(&descriptors))?;
    tonic_prost_build::configure().bytes(".").out_dir(&out).compile_fds(descriptors)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// One `pub mod <service> { pub mod <version> { .. } }` for each package that declares anything.
fn modules(descriptors: &prost_types::FileDescriptorSet) -> String {
    let mut services: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in &descriptors.file {
        let declares = file.message_type.len() + file.enum_type.len() + file.service.len() > 0;
        if let (true, ["staffetta", service, version]) =
            (declares, file.package().split('.').collect::<Vec<_>>().as_slice())
        {
            services.entry(service).or_default().insert(version, file.package());
        }
    }
    let mut code = String::new();
    for (service, versions) in services {
        let _ = writeln!(code, "/// Packages `staffetta.{service}.*`.\npub mod {service} {{");
        for (version, package) in versions {
            let _ = writeln!(
                code,
                "/// Package `{package}`.\n#[allow(missing_docs, unused_qualifications, clippy::all, clippy::too_many_lines, clippy::large_futures)]\n\
                 pub mod {version} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{package}.rs\")); }}"
            );
        }
        code.push_str("}\n");
    }
    code
}
