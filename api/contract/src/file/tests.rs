use std::process::Command;

use super::*;

/// What never ends is given up at the limit, and nobody waits for a pipe's writer.
#[test]
fn what_is_no_file_is_refused() {
    let failure = |path: &Path| read(path).unwrap_err().to_string();
    assert_eq!(failure(Path::new("/dev/zero")), "expected at most 16 MiB");
    let pipe = std::env::temp_dir().join(format!("tandem-declared-{}", std::process::id()));
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let failure = failure(&pipe);
    fs::remove_file(&pipe).unwrap();
    assert_eq!(failure, "expected a file, it is a pipe");
}
