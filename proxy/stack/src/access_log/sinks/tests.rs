use std::io::Read as _;
use std::process::Command;

use super::*;

/// Who reads nothing costs what may wait and no more; what is read later is whole lines.
#[test]
fn what_waits_for_a_reader_is_bounded() {
    let path = std::env::temp_dir().join(format!("tandem-log-{}.fifo", std::process::id()));
    let _ = std::fs::remove_file(&path);
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let sinks = Sinks::new(Duration::from_secs(10), 1 << 20);
    let sink = sinks.open(&Sink::File(path.to_str().unwrap().into()));
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    for _ in 0..(MOST_WAITING + (16 << 20)) / line.len() {
        sinks.append(sink, |lines| lines.extend_from_slice(&line));
    }
    sinks.flush_worker();
    let waiting = sinks.0.queue.waiting.load(Relaxed);
    assert_eq!(waiting, MOST_WAITING);
    assert_eq!(sinks.0.queue.lost.load(Relaxed), 16 << 20);

    let mut reader = File::open(&path).unwrap();
    let mut read = vec![0; MOST_WAITING];
    reader.read_exact(&mut read).unwrap();
    assert!(read.chunks(line.len()).all(|other| other == line));
    std::fs::remove_file(&path).unwrap();
}
