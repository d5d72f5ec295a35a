//! The fields that the documents list are those that are read.

use std::collections::{BTreeMap, BTreeSet};

/// Every name in the table of fields, with the components it is listed for.
fn listed(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of = Vec::new();
    let section = page.split("## Fields").nth(1).unwrap_or_default();
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        if !names(cells[1]).is_empty() {
            of = names(cells[1]);
        }
        for name in names(cells[2]) {
            fields.entry(name).or_default().extend(of.iter().cloned());
        }
    }
    fields
}

/// Every name that stands in the code as a field's.
fn read(code: &str, found: &mut BTreeSet<String>) {
    for part in code.split('"').skip(1).step_by(2) {
        found.insert(part.to_owned());
    }
}

#[test]
fn fields_of_the_documents_are_read() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let page = std::fs::read_to_string(format!("{root}/docs/components.md")).unwrap();
    let fields = listed(&page);
    assert!(fields.len() > 30, "{fields:?}");
    let mut found = BTreeSet::new();
    for file in [
        "factory.rs",
        "redis/mod.rs",
        "redis/config.rs",
        "redis/pubsub.rs",
        "embedded/mod.rs",
        "in_memory/pubsub.rs",
        "secret/local_env.rs",
        "secret/local_file.rs",
    ] {
        let path = format!("{root}/api/components/src/{file}");
        read(&std::fs::read_to_string(path).unwrap(), &mut found);
    }
    let unknown: Vec<_> = fields
        .keys()
        .filter(|name| !found.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "listed and not read: {unknown:?}");
}
