//! A timer of microseconds: tokio's own wheel ticks once a millisecond, which is twelve requests.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::Error;

/// One kernel timer, waited for like a socket.
pub(crate) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// Creates a timer that is not armed.
    pub(crate) fn new() -> Result<Self, Error> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // `new` is deprecated for types that may close their descriptor early; `OwnedFd` never
        // does, and the replacement is `unsafe`.
        #[allow(deprecated)]
        Ok(Self(AsyncFd::new(descriptor)?))
    }

    /// Waits until `due`; when that is past, only lets other tasks run.
    pub(crate) async fn until(&self, due: Instant) -> Result<(), Error> {
        let left = due.saturating_duration_since(Instant::now());
        if left < Duration::from_micros(2) {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.0.get_ref(), &mut expirations) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
