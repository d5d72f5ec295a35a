//! What the mesh says of the calls it carried: metrics and log lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tandem_harness::wait;

use super::mesh::Mesh;

/// The counters that say something of calls, by name. Those of connections differ by nature:
/// the one door has a socket more.
pub async fn counters(mesh: &Mesh) -> BTreeMap<String, u64> {
    let page = mesh.tandem.admin("/stats?usedonly").await;
    page.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| {
            let of_calls = name.starts_with("cluster.") || name.starts_with("http.outbound.");
            of_calls && !name.contains("_cx_") && !name.ends_with("_active")
        })
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// The lines of the access log, once all `count` are written.
pub async fn log(mesh: &Mesh, count: usize) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let file = mesh.tandem.folder.path().join("access.log");
    let written = wait::until(wait::PATIENCE, || lines(&file).len() >= count).await;
    assert!(written, "{} of {count} lines", lines(&file).len());
    lines(&file)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // One that is being written has no end yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(str::to_owned).collect()
}

/// The different lines there are.
pub fn kinds(log: &[serde_json::Map<String, serde_json::Value>]) -> BTreeSet<String> {
    log.iter()
        .map(|line| serde_json::to_string(line).unwrap())
        .collect()
}
