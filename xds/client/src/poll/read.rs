//! Reading files that configuration names: never more than is to be expected, never for ever.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// The most that a file may have, in MiB.
const MOST: u64 = 256;

/// The whole of a file that has at most 256 MiB.
///
/// # Errors
/// It cannot be read, is larger, or is a named pipe, which somebody would have to
/// write to.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Those that whoever started the process left open have a writer.
    let is_left_open = path.starts_with("/dev") || path.starts_with("/proc");
    if fs::metadata(path)?.file_type().is_fifo() && !is_left_open {
        return Err(io::Error::other("expected a file, it is a pipe"));
    }
    let limit = MOST << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= limit {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("expected at most {MOST} MiB"))),
    }
}
