//! The examples of the documentation: what is configuration is read, what can be run is run.
//!
//! The word behind the language of a fenced block says what it is, and so how it is checked. A
//! block that says nothing known is a failure: no example goes unread.

mod blocks;
mod commands;
mod configs;
mod programs;
mod world;

use blocks::{Block, Kind};

/// Every page that users read.
fn pages() -> Vec<Block> {
    let root = tandem_harness::proxy::workspace();
    let mut files = vec![root.join("README.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "md") {
            files.push(path);
        }
    }
    files.sort();
    files.iter().flat_map(|file| blocks::read(file)).collect()
}

fn of(kind: Kind) -> Vec<Block> {
    let found: Vec<_> = pages().into_iter().filter(|b| b.kind == kind).collect();
    assert!(!found.is_empty(), "no page has an example of {kind:?}");
    found
}

#[test]
fn every_block_says_what_it_is() {
    for block in pages() {
        assert_ne!(
            block.kind,
            Kind::Unknown,
            "{}: expected one of the kinds of tests/it/src/documents/blocks.rs, got {:?}",
            block.place,
            block.label
        );
    }
}

/// Links between the pages, and to the files that they name as proof.
#[test]
fn links_lead_somewhere() {
    let root = tandem_harness::proxy::workspace();
    for page in ["README.md".into(), "docs".into()]
        .iter()
        .flat_map(|path: &String| blocks::markdown(&root.join(path)))
    {
        let text = std::fs::read_to_string(&page).unwrap();
        for (quoted, path) in text.split('`').enumerate() {
            // What the tables name as proof; `cases/` is short for where the cases are.
            let is_proof = quoted % 2 == 1 && path.ends_with(".rs") && path.contains('/');
            if is_proof && !path.contains('{') {
                let long = format!("tests/it/src/oracle/{path}");
                assert!(
                    root.join(path).exists()
                        || root.join("proxy").join(path).exists()
                        || root.join("api").join(path).exists()
                        || root.join(long).exists(),
                    "{}: {path} is not there",
                    page.display()
                );
            }
        }
        for target in text.split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {target} is not there", page.display());
        }
    }
}
