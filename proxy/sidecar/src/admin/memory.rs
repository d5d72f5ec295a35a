//! `server.memory_*`, in bytes, measured when somebody asks.

/// Each size that is known, by its name.
pub(super) fn sizes() -> impl Iterator<Item = (&'static str, i64)> {
    let resident = resident().map(|bytes| ("memory_physical_size", bytes));
    allocator().into_iter().chain(resident)
}

/// What the process has asked for and not given back, and what the allocator holds for it, with
/// what lies between.
#[cfg(feature = "jemalloc")]
fn allocator() -> Vec<(&'static str, i64)> {
    use tikv_jemalloc_ctl::{epoch, stats};
    let number = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    // The numbers are those of the last time that somebody said this.
    if epoch::advance().is_err() {
        return Vec::new();
    }
    let sizes = [
        ("memory_allocated", stats::allocated::read()),
        ("memory_heap_size", stats::mapped::read()),
    ];
    let known = sizes.into_iter().filter_map(|(name, bytes)| {
        let bytes = bytes.ok()?;
        Some((name, number(bytes)))
    });
    known.collect()
}

/// The allocator of the system is not asked.
#[cfg(not(feature = "jemalloc"))]
fn allocator() -> Vec<(&'static str, i64)> {
    Vec::new()
}

/// The memory that the process has.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
