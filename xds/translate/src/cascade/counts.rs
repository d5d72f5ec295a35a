//! What came and went.

/// How many clusters or listeners there are, and how many came and went; those of the bootstrap too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many came.
    pub added: u64,
    /// How often one was replaced by another version.
    pub modified: u64,
    /// How many were taken away.
    pub removed: u64,
    /// How many are served now.
    pub active: u64,
    /// How many versions wait.
    pub warming: u64,
}
