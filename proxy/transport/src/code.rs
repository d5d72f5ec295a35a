//! The memory that the program's own code takes.

use std::io;

/// Where a part of the program's file is mapped to be run, from `/proc/self/maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    end: usize,
}

/// Gives back the pages of the program's code; those that still run are mapped again, from the
/// cache of its file, when they are run next. What only start-up ran, most of the memory of a
/// sidecar that has nothing to do, is not kept. Returns how many bytes of code there are.
///
/// # Errors
///
/// What reading `/proc` or `madvise` says; the program runs on as before then.
pub fn release() -> io::Result<usize> {
    let program = std::fs::read_link("/proc/self/exe")?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut total = 0;
    for Mapping { start, end } in mappings(&maps, &program.to_string_lossy()) {
        // SAFETY: the mapping is private, of a file, and neither writable nor changed by the loader
        // (there are no relocations in code): dropping its pages loses nothing, since the kernel
        // reads the same bytes again. Nothing holds a reference into it that could notice.
        #[allow(unsafe_code, reason = "the pages are the kernel's to give back")]
        let result = unsafe {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(start),
                end - start,
                libc::MADV_DONTNEED,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        total += end - start;
    }
    Ok(total)
}

/// The mappings of a file that may be read and run, and not written.
fn mappings(maps: &str, file: &str) -> Vec<Mapping> {
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (range, may) = (fields.next()?, fields.next()?);
        // Offset, device and inode are between.
        let path = line.split_once('/').map(|(_, path)| path)?;
        if may != "r-xp" || Some(path) != file.strip_prefix('/') {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        Some(Mapping {
            start: number(start)?,
            end: number(end)?,
        })
    };
    maps.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests;
