//! Whether the machine ran what was due: a test that compares times has to know.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Process;

/// How often the watching thread wants to run.
const EVERY: Duration = Duration::from_millis(5);
/// A delay that decides which of two timers is first, or what one read of a socket brings.
const DELAY: Duration = Duration::from_millis(20);
/// A thread that waited for a core for more than this part of a time ran too slowly in it.
const PART: u32 = 20;
/// How many delays are kept: the last.
const KEPT: usize = 4096;

/// What the watching thread has found.
struct Seen {
    /// When it wants to run next.
    due: Option<Instant>,
    delays: VecDeque<Delay>,
}

struct Delay {
    until: Instant,
    length: Duration,
}

fn seen() -> MutexGuard<'static, Seen> {
    static SEEN: Mutex<Seen> = Mutex::new(Seen {
        due: None,
        delays: VecDeque::new(),
    });
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches the machine from the first call on, as long as this process runs.
fn watch() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            loop {
                let due = Instant::now() + EVERY;
                seen().due = Some(due);
                thread::sleep(EVERY);
                let until = Instant::now();
                let length = until.saturating_duration_since(due);
                if length >= DELAY {
                    let mut seen = seen();
                    if seen.delays.len() == KEPT {
                        seen.delays.pop_front();
                    }
                    seen.delays.push_back(Delay { until, length });
                }
            }
        });
    });
}

/// A time in which a process, and the thread that asks for this, should run whenever they have
/// something to do.
pub struct Watched<'a> {
    process: &'a Process,
    since: Instant,
    waits: Waits,
}

/// For how long each thread has waited for a core since it began.
type Waits = BTreeMap<OsString, Duration>;

impl<'a> Watched<'a> {
    /// From now on.
    pub fn start(process: &'a Process) -> Self {
        watch();
        Self {
            process,
            since: Instant::now(),
            waits: waits(process),
        }
    }

    /// For how long something that was due did not run, if that was long enough to matter: the
    /// machine as a whole at one time, or a thread, all in all, for want of a core.
    pub fn disturbed(&self) -> Option<Duration> {
        let machine = {
            let seen = seen();
            let delays = seen.delays.iter().rev();
            let delays = delays.take_while(|delay| delay.until >= self.since);
            // The watching thread may not have run since, either.
            let late = seen.due.map(|due| due.elapsed());
            delays.map(|delay| delay.length).chain(late).max()
        };
        let before = |thread| self.waits.get(thread).copied().unwrap_or_default();
        let waits = waits(self.process);
        let threads = (waits.iter())
            .map(|(thread, waited)| waited.saturating_sub(before(thread)))
            .max();
        let much = DELAY.max(self.since.elapsed() / PART);
        let machine = machine.filter(|longest| *longest >= DELAY);
        machine.max(threads.filter(|longest| *longest >= much))
    }
}

/// Of all threads of a process, and of the one that calls.
fn waits(process: &Process) -> Waits {
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.id()));
    let threads = threads.into_iter().flatten().flatten();
    let mut waits: Waits = threads
        .filter_map(|thread| Some((thread.file_name(), waited(&thread.path())?)))
        .collect();
    if let Some(own) = waited(Path::new("/proc/thread-self")) {
        waits.insert("self".into(), own);
    }
    waits
}

fn waited(thread: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(thread.join("schedstat")).ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
