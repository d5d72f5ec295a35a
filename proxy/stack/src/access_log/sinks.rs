//! Where lines go: collected by each worker, written by one thread for all.
//!
//! A worker never waits for a disk and takes no lock: it appends to a buffer of its own and
//! hands the whole buffer over when it is full or old enough. What waits is bounded: lines that a
//! disk or a reader cannot take in time are lost, and how many bytes is said.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tandem_model::access_log::Sink;

/// What may wait to be written, in bytes, over all sinks.
const MOST_WAITING: usize = 64 << 20;

/// A sink's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SinkId(usize);

/// All sinks of the process. Clones share them.
#[derive(Clone, Debug)]
pub struct Sinks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Mutex<Vec<Sink>>,
    writer: Sender<Message>,
    queue: Arc<Queue>,
    flush_interval: Duration,
    flush_bytes: usize,
}

/// Bytes that wait for the thread that writes, and those that found no room.
#[derive(Debug, Default)]
struct Queue {
    waiting: AtomicUsize,
    lost: AtomicUsize,
}

enum Message {
    Lines(usize, Sink, Vec<u8>),
    Flush(Sender<()>),
    Reopen,
}

thread_local! {
    static BUFFERS: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
    static ENDING: Cell<bool> = const { Cell::new(false) };
}

struct Buffer {
    lines: Vec<u8>,
    sink: Option<Sink>,
}

/// Whether this worker is ending: a request that is dropped now was cut off by us, not by its
/// client.
pub(super) fn worker_is_ending() -> bool {
    ENDING.get()
}

impl Sinks {
    /// Lines are written when so many bytes wait, or after so long.
    pub fn new(flush_interval: Duration, flush_bytes: usize) -> Self {
        let (writer, messages) = channel();
        let queue = Arc::new(Queue::default());
        let written = Arc::clone(&queue);
        let spawned = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&messages, &written));
        if let Err(error) = spawned {
            tracing::error!(%error, "cannot start the access-log thread: nothing will be logged");
        }
        Self(Arc::new(Inner {
            known: Mutex::new(Vec::new()),
            writer,
            queue,
            flush_interval,
            flush_bytes,
        }))
    }

    /// The number of a sink, the same for the same target.
    pub(crate) fn open(&self, sink: &Sink) -> SinkId {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().position(|other| other == sink);
        SinkId(found.unwrap_or_else(|| {
            known.push(sink.clone());
            known.len() - 1
        }))
    }

    /// Appends to this worker's buffer of a sink.
    pub(crate) fn append(&self, sink: SinkId, write: impl FnOnce(&mut Vec<u8>)) {
        BUFFERS.with_borrow_mut(|buffers| {
            while buffers.len() <= sink.0 {
                let lines = Vec::new();
                let sink = self.sink(buffers.len());
                buffers.push(Buffer { lines, sink });
            }
            let buffer = &mut buffers[sink.0];
            write(&mut buffer.lines);
            if buffer.lines.len() >= self.0.flush_bytes {
                self.hand_over(sink.0, buffer);
            }
        });
    }

    /// Hands over what this thread has collected.
    pub fn flush_worker(&self) {
        BUFFERS.with_borrow_mut(|buffers| {
            for (sink, buffer) in buffers.iter_mut().enumerate() {
                self.hand_over(sink, buffer);
            }
        });
    }

    /// Ends what still runs on this worker, by dropping it, and hands over the lines that this
    /// makes: a request that was cut off is logged like any other.
    pub fn end_worker<T>(&self, running: T) {
        ENDING.set(true);
        drop(running);
        self.flush_worker();
    }

    /// Hands this worker's lines over again and again; runs as long as the worker.
    pub async fn keep_flushing(&self) {
        let mut ticks = tokio::time::interval(self.0.flush_interval.max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            self.flush_worker();
        }
    }

    /// Waits until everything handed over is written.
    pub fn flush(&self) {
        self.flush_worker();
        let (done, written) = channel();
        if self.0.writer.send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(5));
        }
    }

    /// Opens the files anew, as log rotation asks (SIGUSR1).
    pub fn reopen(&self) {
        let _ = self.0.writer.send(Message::Reopen);
    }

    fn hand_over(&self, index: usize, buffer: &mut Buffer) {
        if buffer.lines.is_empty() {
            return;
        }
        let queue = &self.0.queue;
        if queue.waiting.load(Relaxed) + buffer.lines.len() > MOST_WAITING {
            queue.lost.fetch_add(buffer.lines.len(), Relaxed);
            buffer.lines.clear();
            return;
        }
        let next = Vec::with_capacity(buffer.lines.len().min(self.0.flush_bytes + 4096));
        let lines = std::mem::replace(&mut buffer.lines, next);
        if let Some(sink) = buffer.sink.clone() {
            queue.waiting.fetch_add(lines.len(), Relaxed);
            let _ = self.0.writer.send(Message::Lines(index, sink, lines));
        }
    }

    fn sink(&self, index: usize) -> Option<Sink> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(index).cloned()
    }
}

fn write_all(messages: &Receiver<Message>, queue: &Queue) {
    let mut files: Vec<Option<File>> = Vec::new();
    for message in messages {
        match message {
            Message::Lines(index, sink, lines) => {
                while files.len() <= index {
                    files.push(None);
                }
                if let Err(error) = write(&mut files[index], &sink, &lines) {
                    tracing::warn!(?sink, %error, "cannot write an access log");
                    files[index] = None;
                }
                queue.waiting.fetch_sub(lines.len(), Relaxed);
                let lost = queue.lost.swap(0, Relaxed);
                if lost > 0 {
                    tracing::warn!(bytes = lost, "access logs were not written fast enough");
                }
            }
            Message::Flush(done) => {
                let _ = done.send(());
            }
            Message::Reopen => files.clear(),
        }
    }
}

fn write(file: &mut Option<File>, sink: &Sink, lines: &[u8]) -> io::Result<()> {
    match sink {
        Sink::Stdout => io::stdout().write_all(lines),
        Sink::Stderr => io::stderr().write_all(lines),
        Sink::File(path) => {
            let file = match file {
                Some(file) => file,
                none => none.insert(OpenOptions::new().append(true).create(true).open(&**path)?),
            };
            file.write_all(lines)
        }
    }
}

#[cfg(test)]
mod tests;
