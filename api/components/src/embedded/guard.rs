//! One process a data directory: a lock file that the operating system releases when its holder
//! ends, however it ends.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::Path,
    process,
};

use tandem_api_contract::Error;

/// Held as long as the directory is in use.
pub(super) struct Guard(#[allow(dead_code, reason = "held for its lock")] File);

impl Guard {
    /// Creates the directory if need be, and takes it.
    pub(super) fn take(directory: &Path) -> Result<Self, Error> {
        let shown = directory.display();
        let failed = |error: std::io::Error| {
            Error::internal(format!("cannot use data directory '{shown}': {error}"))
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let path = directory.join("tandem.lock");
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => String::from("another process"),
                    pid => format!("process {pid}"),
                };
                return Err(Error::unavailable(format!(
                    "data directory '{shown}' is in use by {holder}: give each its own"
                )));
            }
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}
