//! Writes `src/schema/schema.bin`: the part of Envoy's descriptors that a bootstrap can reach.
//!
//! ```text
//! cargo run -p tandem-xds-translate --example schema            # rewrite the table
//! cargo run -p tandem-xds-translate --example schema -- --check # fail if it is out of date
//! cargo run -p tandem-xds-translate --example schema -- --print # list messages and fields
//! ```
//!
//! Input is the descriptor set inside the `envoy-types` package (found through the directory that
//! cargo compiled it from) and our own `.proto` files. Run it after an upgrade of `envoy-types`,
//! after a change in our messages, or after adding a root in `roots.rs`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;

mod descriptor;
mod encode;
mod prune;
mod roots;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut set = descriptor::FileSet::decode(fs::read(envoy_descriptors()?)?.as_slice())?;
    set.file.extend(own_descriptors(here)?.file);
    let pruned = prune::reachable(&set, roots::ROOTS)?;
    let table = encode::table(&pruned)?;
    let target = here.join("src/schema/schema.bin");
    match std::env::args().nth(1).as_deref() {
        None => fs::write(&target, &table)?,
        Some("--check") if fs::read(&target)? == table => {}
        Some("--check") => return Err("schema.bin is out of date, run the example again".into()),
        Some("--print") => prune::print(&pruned),
        Some(other) => return Err(format!("unknown argument {other}").into()),
    }
    eprintln!(
        "{} messages, {} enums, {} bytes",
        pruned.messages.len(),
        pruned.enums.len(),
        table.len()
    );
    Ok(())
}

/// The descriptor set of the `envoy-types` release that this workspace's lock file names.
fn envoy_descriptors() -> Result<PathBuf, Box<dyn Error>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registry = home
        .ok_or("neither CARGO_HOME nor HOME is set")?
        .join("registry/src");
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock"))?;
    let version = lock
        .split("name = \"envoy-types\"\nversion = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .ok_or("no envoy-types in Cargo.lock")?;
    for index in fs::read_dir(&registry)? {
        let package = index?.path().join(format!("envoy-types-{version}"));
        let file = package.join("src/generated/types.bin");
        if file.exists() {
            return Ok(file);
        }
    }
    Err(format!(
        "no envoy-types-{version} under {}: run cargo fetch",
        registry.display()
    )
    .into())
}

/// Our own messages that a bootstrap may hold, and two that `envoy-types` leaves out.
fn own_descriptors(here: &Path) -> Result<descriptor::FileSet, Box<dyn Error>> {
    let roots = [
        here.join("../../api/proto/proto"),
        here.join("examples/schema/carriers"),
    ];
    let files = [
        "tandem/filter/runtime/v1/runtime.proto",
        "xds/typed_struct.proto",
        "udpa/typed_struct.proto",
    ];
    let set = protox::compile(files, roots)?;
    let mut set = descriptor::FileSet::decode(set.encode_to_vec().as_slice())?;
    set.file.retain(|file| file.package != "google.protobuf");
    Ok(set)
}
