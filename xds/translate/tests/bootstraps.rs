//! Bootstraps that are read, and bootstraps that are refused: by what they say, and as Envoy decides.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tandem_xds_translate::{Error, Source, load};

/// `tests/good` is accepted by Envoy too.
#[test]
fn good_bootstraps_are_accepted() {
    for path in files("good") {
        let text = std::fs::read_to_string(&path).unwrap();
        let read = load(&[Source::file(path.display().to_string(), text)]);
        assert!(read.is_ok(), "{}:\n{}", path.display(), read.unwrap_err());
    }
}

/// Each file of `tests/bad` begins with comments that say the errors: `#! path: reason`.
#[test]
fn bad_bootstraps_are_refused_with_every_error() {
    let mut wrong = Vec::new();
    for path in files("bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#! "))
            .collect();
        assert!(!expected.is_empty(), "{} says no error", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let found: Vec<_> = match load(&[Source::file(name.clone(), text.clone())]) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(without_place).collect(),
        };
        if found != expected {
            wrong.push(format!(
                "{name}:\n found {found:#?}\n expected {expected:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn without_place(error: &Error) -> String {
    match error.path() {
        path if path.is_empty() => error.reason().to_owned(),
        path => format!("{path}: {}", error.reason()),
    }
}

/// Where Envoy refuses, so do we; what we accept, Envoy accepts. A file whose first line says
/// `# stricter` is refused only by us, and says why.
#[test]
fn envoy_decides_the_same() {
    let envoy = match std::env::var_os("TANDEM_TEST_ENVOY") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target-tools/venv/bin/envoy"),
    };
    assert!(
        envoy.exists(),
        "expected Envoy at {}; tests/run installs it",
        envoy.display()
    );
    let dir = std::env::temp_dir().join(format!("tandem-bootstraps-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut wrong = Vec::new();
    for (folder, good) in [("good", true), ("bad", false)] {
        for path in files(folder) {
            let text = std::fs::read_to_string(&path).unwrap();
            // a message of ours means nothing to Envoy
            if text.starts_with("# stricter") || text.contains("tandem.filter.") {
                continue;
            }
            let output = Command::new(&envoy)
                .args(["--mode", "validate", "-l", "critical", "-c"])
                .arg(&path)
                .current_dir(&dir)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() != good {
                wrong.push(format!("{}: {said}", path.display()));
            }
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

/// The list in the documentation is made by this crate.
#[test]
fn the_documentation_lists_what_is_supported() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let list = tandem_xds_translate::supported_as_markdown();
    // It is a section of the page there.
    let lines = list.lines().map(|line| match line.starts_with('#') {
        true => format!("#{line}"),
        false => line.to_owned(),
    });
    let list = lines.collect::<Vec<_>>().join("\n");
    assert!(
        page.contains(list.trim()),
        "docs/configuration.md: expected the output of \
         `cargo run -p tandem-xds-translate --example supported` in it"
    );
}
