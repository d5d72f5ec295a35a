use std::process::Command;

use super::*;

fn failure(path: &Path) -> String {
    read(path, 1).unwrap_err().to_string()
}

/// What never ends is given up at the limit.
#[test]
fn an_endless_file_is_refused() {
    assert_eq!(failure(Path::new("/dev/zero")), "expected at most 1 MiB");
}

/// Nobody writes: whoever opened it would wait for ever.
#[test]
fn a_named_pipe_is_refused_unopened() {
    let pipe = std::env::temp_dir().join(format!("tandem-pipe-{}", std::process::id()));
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let failure = failure(&pipe);
    fs::remove_file(&pipe).unwrap();
    assert_eq!(failure, "expected a file, it is a pipe");
}

#[test]
fn a_file_of_just_the_limit_is_read() {
    let path = std::env::temp_dir().join(format!("tandem-limit-{}", std::process::id()));
    fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
    let read = read(&path, 1).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(read.len(), 1 << 20);
}

#[test]
fn a_folder_is_refused() {
    assert!(failure(Path::new("/")).contains("directory"));
}
