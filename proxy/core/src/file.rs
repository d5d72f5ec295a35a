//! Reading a file that somebody named: never more than is to be expected, never for ever.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// What certificates, keys and revocation lists may have, in MiB.
pub const SECRET_MIB: u64 = 64;
/// What a bootstrap may have, in MiB: many times one of ten thousand clusters.
pub const CONFIGURATION_MIB: u64 = 256;

/// The whole of a file that has at most `most` MiB.
///
/// # Errors
/// It cannot be read, is larger, or is a named pipe: opening one waits for a writer who may never
/// come. Pipes that whoever started the process left open (`/dev/fd/63`) are read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let is_left_open = path.starts_with("/dev") || path.starts_with("/proc");
    if fs::metadata(path)?.file_type().is_fifo() && !is_left_open {
        return Err(io::Error::other("expected a file, it is a pipe"));
    }
    let limit = most << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("expected at most {most} MiB")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
