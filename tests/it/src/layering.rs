//! The rules of the house: who may import whom, where generated code and `unsafe` may be, how
//! long a file may get, what a filter's folder must have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tandem_harness::proxy::workspace;

/// Each crate and the crates of ours that it may import. `sidecar`, `tests` and `bench` may
/// import anything.
const IMPORTS: &[(&str, &[&str])] = &[
    ("proxy/model", &[]),
    ("proxy/core", &["tandem-model"]),
    ("proxy/transport", &["tandem-core", "tandem-model"]),
    (
        "proxy/upstream",
        &["tandem-transport", "tandem-core", "tandem-model"],
    ),
    (
        "proxy/stack",
        &[
            "tandem-upstream",
            "tandem-transport",
            "tandem-core",
            "tandem-model",
        ],
    ),
    ("filters", &["tandem-core", "tandem-model"]),
    ("api/proto", &[]),
    ("api/contract", &[]),
    ("api/components", &["tandem-api-contract"]),
    (
        "api/server",
        &[
            "tandem-api-contract",
            "tandem-api-proto",
            "tandem-core",
            "tandem-model",
        ],
    ),
    ("xds/client", &[]),
    // The runtime filter's settings are a message of ours, so translating needs `api/proto`.
    (
        "xds/translate",
        &["tandem-xds-client", "tandem-model", "tandem-api-proto"],
    ),
];

/// What brings generated protobuf, and who may use it.
const PROTOBUF: &[(&str, &[&str])] = &[
    ("prost", &["api/proto", "xds/client", "xds/translate"]),
    (
        "prost-types",
        &["api/proto", "api/server", "xds/client", "xds/translate"],
    ),
    ("envoy-types", &["xds/client", "xds/translate"]),
];

/// Lines a production file may have; STYLE says to think again at 400.
const LONGEST: usize = 600;

#[test]
fn crates_import_only_what_the_design_allows() {
    let mut wrong = Vec::new();
    for (folder, allowed) in IMPORTS {
        for name in dependencies(folder) {
            if name.starts_with("tandem-") && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{folder} imports {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_a_rule() {
    let ruled: BTreeSet<&str> = IMPORTS.iter().map(|(folder, _)| *folder).collect();
    let free = |folder: &str| {
        folder == "proxy/sidecar" || folder.starts_with("tests/") || folder.starts_with("bench/")
    };
    let unruled: Vec<String> = crates()
        .into_iter()
        .filter(|folder| !free(folder) && !ruled.contains(folder.as_str()))
        .collect();
    assert!(
        unruled.is_empty(),
        "say in IMPORTS what these may import: {unruled:?}"
    );
}

#[test]
fn generated_protobuf_is_used_only_where_the_wire_is() {
    let mut wrong = Vec::new();
    for (folder, _) in IMPORTS {
        let dependencies = dependencies(folder);
        for (name, allowed) in PROTOBUF {
            if dependencies.contains(*name) && !allowed.contains(folder) {
                wrong.push(format!("{folder} imports {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_is_only_in_transport() {
    let mut wrong = Vec::new();
    for folder in crates()
        .iter()
        .filter(|folder| *folder != "proxy/transport" && !folder.starts_with("bench/"))
    {
        for (file, text) in sources(folder) {
            let found = [
                "unsafe {",
                "unsafe fn",
                "unsafe impl",
                "unsafe extern",
                "allow(unsafe_code",
            ];
            // This file names them.
            if !file.ends_with("layering.rs") && found.iter().any(|word| text.contains(word)) {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_short() {
    let mut wrong = BTreeMap::new();
    for folder in crates() {
        for (file, text) in sources(&folder) {
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.insert(file, lines);
            }
        }
    }
    assert!(wrong.is_empty(), "longer than {LONGEST} lines: {wrong:#?}");
}

#[test]
fn every_filter_has_documentation_and_tests() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(workspace().join("filters/src")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let module = std::fs::read_to_string(folder.join("mod.rs")).unwrap_or_default();
        if !module.starts_with("//!") {
            wrong.push(format!(
                "{}: mod.rs says nothing of the filter",
                folder.display()
            ));
        }
        if !folder.join("tests.rs").exists() && !folder.join("tests").is_dir() {
            wrong.push(format!("{}: no tests", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The folders of the workspace's members.
fn crates() -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let members = text
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The names under `[dependencies]`; none when the crate is not there yet.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap_or_default();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
            if let Some(name) = line.strip_prefix("[dependencies.") {
                names.insert(name.trim_end_matches(']').to_owned());
            }
            continue;
        }
        let name: String = line
            .chars()
            .take_while(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect();
        if inside && !name.is_empty() {
            names.insert(name);
        }
    }
    names
}

/// Every Rust file under a crate's `src`, with its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&workspace().join(folder).join("src"), &mut files);
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (file.display().to_string(), text)
    };
    files.into_iter().map(read).collect()
}
