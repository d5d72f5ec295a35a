//! Files that are exchanged while they are watched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::Connection;
use crate::poll::{File, Files};

struct Run {
    clusters: Consumer,
    connection: tokio::sync::watch::Receiver<Connection>,
}

fn start(file: File) -> Run {
    let (files, clusters) = Files::new(CDS, true, None, file, decode(CDS));
    let connection = files.connection();
    tokio::spawn(files.run());
    Run {
        clusters,
        connection,
    }
}

fn file(path: &Path) -> File {
    File {
        path: path.to_owned(),
        ..File::default()
    }
}

/// Puts a file in place as deployments do.
fn exchange(folder: &TempDir, path: &Path, text: &str) {
    let new = folder.path().join("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn the_file_is_offered_at_the_start_and_when_another_is_moved_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cds.yaml");
    fs::write(&path, "1: a").unwrap();
    let mut run = start(file(&path));
    let first = offer(&mut run.clusters).await;
    assert_eq!((names(&first), first.update().complete), (vec!["a"], true));
    first.accept();
    for text in ["2: a b", "3: b"] {
        exchange(&folder, &path, text);
        let next = offer(&mut run.clusters).await;
        assert_eq!(next.update().version, text[..1]);
        next.accept();
    }
    let state = run.connection.borrow();
    assert_eq!((state.connected, &state.failure), (true, &None));
}

#[tokio::test]
async fn a_bad_file_is_named_and_the_next_good_one_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cds.yaml");
    fs::write(&path, "1: a").unwrap();
    let mut run = start(file(&path));
    offer(&mut run.clusters).await.accept();
    exchange(&folder, &path, "garbage");
    let state = run.connection.wait_for(|now| !now.connected).await.unwrap();
    let expected = format!("{}: expected `version: names`", path.display());
    assert_eq!(state.failure.as_ref(), Some(&expected));
    drop(state);
    let stats = run.clusters.stats().borrow().clone();
    assert_eq!((stats.update_failure, &*stats.version), (1, "1"));
    exchange(&folder, &path, "2: b");
    assert_eq!(names(&offer(&mut run.clusters).await), ["b"]);
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_offered_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/cds.yaml");
    let mut run = start(file(&path));
    let lost = |now: &Connection| now.failure.is_some();
    let state = run.connection.wait_for(lost).await.unwrap();
    let failure = state.failure.clone().unwrap();
    assert!(failure.contains("later/cds.yaml: "), "{failure}");
    drop(state);
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "1: a").unwrap();
    assert_eq!(names(&offer(&mut run.clusters).await), ["a"]);
}

/// A mounted ConfigMap: the file is a link through `..data`, which is exchanged.
#[tokio::test]
async fn a_move_in_the_watched_directory_counts_even_if_the_file_itself_is_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("v1", "1: a"), ("v2", "2: b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("cds.yaml"), text).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/cds.yaml", at("cds.yaml")).unwrap();
    for watched_directory in [Some(folder.path().to_owned()), None] {
        let mut run = start(File {
            watched_directory,
            ..file(&at("cds.yaml"))
        });
        let old = offer(&mut run.clusters).await;
        let (expected, next) = match names(&old)[..] {
            ["a"] => ("b", "v2"),
            _ => ("a", "v1"),
        };
        old.accept();
        symlink(next, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        // Without the watched directory the next look at the file finds it.
        assert_eq!(names(&offer(&mut run.clusters).await), [expected]);
    }
}

#[tokio::test]
async fn with_an_interval_the_file_is_read_again_and_offered_when_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cds.yaml");
    fs::write(&path, "1: a").unwrap();
    let mut run = start(File {
        poll_interval: Some(Duration::from_millis(1)),
        ..file(&path)
    });
    offer(&mut run.clusters).await.accept();
    fs::write(&path, "2: b").unwrap();
    assert_eq!(names(&offer(&mut run.clusters).await), ["b"]);
}

/// A file is all that there is: what it lacks of what was asked for is said.
#[tokio::test]
async fn what_a_file_lacks_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eds.yaml");
    fs::write(&path, "1: a other").unwrap();
    let (files, mut endpoints) = Files::new(EDS, false, None, file(&path), decode(EDS));
    endpoints.subscribe(["a", "b"]);
    tokio::spawn(files.run());
    let first = offer(&mut endpoints).await;
    assert_eq!(first.update().missing, ["b"]);
    first.accept();
    exchange(&folder, &path, "2: a b");
    let next = offer(&mut endpoints).await;
    assert!(next.update().missing.is_empty());
    next.accept();
}
