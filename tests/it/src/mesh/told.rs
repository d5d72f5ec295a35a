//! What a control plane was told.

use std::collections::{BTreeMap, BTreeSet};

/// What one node asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The types, in the order in which the newest stream asked for them first.
    pub order: Vec<String>,
    /// The names that are asked for, by type.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// Every answer: its type, the version and, if it is a refusal, the reason.
    pub answers: Vec<(String, u64, Option<String>)>,
    /// The versions that the newest stream began with, by type and name (empty in state of the world).
    pub begun_with: BTreeMap<(String, String), String>,
    /// Responses without an answer.
    pub(super) open: BTreeSet<(String, String)>,
    /// The last thing said that was dealt with.
    pub(super) epoch: u64,
}
