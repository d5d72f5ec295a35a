//! Whether the machine ran what was due: a test that compares times has to know.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Process;

/// How often the watching thread wants to run.
const EVERY: Duration = Duration::from_millis(5);
/// A delay that decides which of two timers is first, or what one read of a socket brings.
const DELAY: Duration = Duration::from_millis(20);
/// How many delays are kept: the last.
const KEPT: usize = 4096;

/// The delays of a thread that has nothing to do but to run in time.
struct Delay {
    until: Instant,
    length: Duration,
}

static DELAYS: Mutex<Vec<Delay>> = Mutex::new(Vec::new());

/// Starts to watch the machine, from the first call on, as long as this process runs.
fn watch() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            let mut due = Instant::now() + EVERY;
            loop {
                thread::sleep(EVERY);
                let until = Instant::now();
                let length = until.saturating_duration_since(due);
                if length >= DELAY {
                    let mut delays = DELAYS.lock().unwrap_or_else(PoisonError::into_inner);
                    if delays.len() == KEPT {
                        delays.remove(0);
                    }
                    delays.push(Delay { until, length });
                }
                due = Instant::now() + EVERY;
            }
        });
    });
}

/// An exchange with a process that wants to know, afterwards, whether it was disturbed.
pub struct Watched<'a> {
    process: &'a Process,
    since: Instant,
    waited: Duration,
}

impl<'a> Watched<'a> {
    /// From now on.
    pub fn start(process: &'a Process) -> Self {
        watch();
        Self {
            process,
            since: Instant::now(),
            waited: process.waited(),
        }
    }

    /// For how long something that was due did not run, if that was long enough to matter: the
    /// machine as a whole, or the process, in all of its threads together, for want of a core.
    pub fn disturbed(&self) -> Option<Duration> {
        let delays = DELAYS.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = (delays.iter().rev())
            .take_while(|delay| delay.until >= self.since)
            .map(|delay| delay.length)
            .max();
        let waited = self.process.waited().saturating_sub(self.waited);
        machine
            .into_iter()
            .chain([waited])
            .max()
            .filter(|longest| *longest >= DELAY)
    }
}
