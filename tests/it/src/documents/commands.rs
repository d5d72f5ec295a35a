//! Examples of commands: each line is run as it stands, in a folder with the page's own files and a
//! network where the default ports are free.

use std::collections::BTreeMap;

use tandem_harness::proxy;

use super::blocks::{Block, Kind};
use super::of;
use super::world::World;

/// Lines that are not run here: the demo is tested as such, the others take minutes.
const BUILDS: [&str; 4] = [
    "cargo run --release -- demo",
    "cargo run --release -- demo --once",
    "cargo build --release",
    "cargo bench -p tandem-bench-micro",
];

#[tokio::test]
async fn commands_do_what_they_should() {
    let mut pages = BTreeMap::<String, Vec<Block>>::new();
    for block in of(Kind::Shell) {
        pages
            .entry(block.page().to_owned())
            .or_default()
            .push(block);
    }
    for (page, blocks) in pages {
        let Some(world) = World::new(&bootstrap(&page), &of(Kind::Component)) else {
            return;
        };
        for block in blocks {
            for line in block.text.lines() {
                let line = line.split(" # ").next().unwrap_or_default();
                let line = line.trim_end().trim_end_matches('#').trim();
                check(&world, &format!("{}: {line}", block.place), line).await;
            }
        }
    }
}

/// The first bootstrap of the page; one that has none means any that is complete.
fn bootstrap(page: &str) -> String {
    let shown = of(Kind::Bootstrap);
    let own = shown.iter().find(|block| block.page() == page);
    own.unwrap_or(&shown[0]).text.clone()
}

async fn check(world: &World, place: &str, line: &str) {
    let mut words = line.split(' ');
    match (words.next().unwrap_or_default(), words.next()) {
        ("", _) => {}
        ("curl", _) => {
            let _tandem = world.sidecar().await;
            world.ends(place, line, &[0]);
        }
        ("tandem", Some("validate")) => world.ends(place, line, &[0]),
        // 1: the request would be refused.
        ("tandem", Some("explain")) if line.contains("--admin") => {
            let _tandem = world.sidecar().await;
            world.ends(place, line, &[0, 1]);
        }
        ("tandem", Some("explain")) => world.ends(place, line, &[0, 1]),
        ("tandem" | "envoy", _) => world.serves(place, line).await,
        ("cargo", _) => assert!(BUILDS.contains(&line), "{place}: not a known command"),
        (program, _) => assert!(
            proxy::workspace().join(program).exists(),
            "{place}: no such program"
        ),
    }
}
