//! Compiles the `.proto` files without `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 3] = [
    "spec/proto/runtime/v1/appcallback.proto",
    "spec/proto/runtime/v1/runtime.proto",
    "tandem/filter/runtime/v1/runtime.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Values pass through the process untouched: `Bytes` saves a copy each way.
        .bytes(".")
        .extern_path(".google.protobuf.Any", "crate::Any")
        // Services run inside the project's own HTTP stack, so tonic's transport stays out.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
