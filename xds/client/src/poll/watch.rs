//! When a file was put in place.

use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often it is looked at what no event told: directories that come later, file systems
/// without events, links whose target was exchanged.
const LOOK: Duration = Duration::from_secs(1);

/// Watches one path for moves, as Envoy does: only they are atomic.
pub(super) struct Watch {
    path: PathBuf,
    directory: PathBuf,
    /// The entry whose moves count; `None` for any.
    entry: Option<OsString>,
    events: Option<Events>,
    looks: Interval,
    /// The file when it was read last.
    taken: Option<Look>,
    /// Whether what was read then could be used.
    good: bool,
    /// A change that the next look is to confirm.
    seen: Option<Look>,
}

/// The kernel's events of a directory.
struct Events {
    queue: AsyncFd<OwnedFd>,
    directory: Look,
}

/// What can be seen of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    id: (u64, u64),
    len: u64,
    changed: (i64, i64),
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        Some(Self {
            id: (data.dev(), data.ino()),
            len: data.len(),
            changed: (data.mtime(), data.mtime_nsec()),
        })
    }
}

impl Watch {
    pub(super) fn new(path: &Path, watched_directory: Option<&Path>) -> Self {
        let (directory, entry) = match watched_directory {
            Some(directory) => (directory, None),
            None => {
                let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
                let entry = path.file_name().map(OsString::from);
                (parent.unwrap_or(Path::new(".")), entry)
            }
        };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            path: path.to_owned(),
            events: Events::of(directory),
            directory: directory.to_owned(),
            entry,
            looks,
            taken: None,
            good: false,
            seen: None,
        }
    }

    /// The file is about to be read.
    pub(super) fn reads(&mut self) {
        self.taken = Look::at(&self.path);
        self.seen = None;
        self.good = true;
    }

    /// What was read is of no use, so that any change of it is one to look at.
    pub(super) fn is_bad(&mut self) {
        self.good = false;
    }

    /// Waits until the file is to be read again. Dropping the future loses nothing.
    pub(super) async fn changed(&mut self) {
        loop {
            let moved = tokio::select! {
                moved = moved(&mut self.events, self.entry.as_ref()) => moved,
                _ = self.looks.tick() => {
                    self.watch_again();
                    self.looks_changed()
                }
            };
            if moved {
                return;
            }
        }
    }

    fn looks_changed(&mut self) -> bool {
        let Some(now) = Look::at(&self.path) else {
            return false;
        };
        let changed = match self.taken {
            None => true,
            Some(taken) if self.good => taken.id != now.id,
            Some(taken) => taken != now,
        };
        // One that is still being written looks different the next time.
        changed && self.seen.replace(now) == Some(now)
    }

    /// The directory may not have been there, or be another one by now.
    fn watch_again(&mut self) {
        let now = Look::at(&self.directory).map(|look| look.id);
        let watched = self.events.as_ref().map(|events| events.directory.id);
        if now != watched {
            self.events = Events::of(&self.directory);
        }
    }
}

impl Events {
    fn of(directory: &Path) -> Option<Self> {
        let look = Look::at(directory)?;
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        inotify::add_watch(
            &queue,
            directory,
            WatchFlags::MOVED_TO | WatchFlags::ONLYDIR,
        )
        .ok()?;
        // What is wrong with `new` are owners that exchange their descriptor; this one cannot, and
        // what is to be used instead is not for crates without `unsafe`.
        #[allow(deprecated)]
        let queue = AsyncFd::new(queue).ok()?;
        Some(Self {
            queue,
            directory: look,
        })
    }

    /// Takes all events that there are: whether one is a move to `entry`.
    fn take(&self, entry: Option<&OsString>) -> bool {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = Reader::new(self.queue.get_ref(), &mut buffer);
        let mut moved = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => return moved,
            };
            let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let named = event.file_name().map(|name| name.to_bytes());
            let wanted = entry.is_none_or(|entry| named == Some(entry.as_bytes()));
            moved |= lost || (event.events().contains(ReadFlags::MOVED_TO) && wanted);
        }
    }
}

/// Waits for events: whether one is a move to `entry`.
async fn moved(events: &mut Option<Events>, entry: Option<&OsString>) -> bool {
    let Some(watched) = events else {
        return std::future::pending().await;
    };
    match watched.queue.readable().await {
        Ok(mut ready) => {
            let moved = watched.take(entry);
            // `take` went on until the queue was empty.
            ready.clear_ready();
            moved
        }
        Err(_) => {
            *events = None;
            false
        }
    }
}
