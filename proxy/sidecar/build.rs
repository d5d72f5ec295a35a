//! How the binary is linked.
//!
//! It is position-independent, so it has a table of the addresses that the loader must adjust, which
//! is read whole at every start: two thirds of a megabyte of the memory of an idle sidecar. In its
//! packed form (`DT_RELR`) it is a few pages. glibc reads that form from 2.36 on, so where the machine
//! that builds has an older one, or another C library, the binary is linked as ever.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=TANDEM_VERSION={}", version());
    let glibc = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    let native = std::env::var_os("HOST") == std::env::var_os("TARGET");
    if glibc && native && glibc_version().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The package's, and whether the compiler was told which paths requests take (`bench/release`).
fn version() -> String {
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("profile-use") {
        return format!("{version} (compiled with a profile)");
    }
    version
}

/// That of this machine.
fn glibc_version() -> Option<(u32, u32)> {
    let answer = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let answer = String::from_utf8(answer.ok()?.stdout).ok()?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
