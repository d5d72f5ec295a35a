//! What ends the process, or is passed on to its application: signals, and the admin server's
//! `/quitquitquit`.

use std::sync::Arc;
use std::{fmt, io};

use futures_util::StreamExt as _;
use rustix::process::Signal;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use signal_hook_tokio::SignalsInfo;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// What ends a process that has nobody to ask.
const ENDING: [Signal; 2] = [Signal::TERM, Signal::INT];
/// What else a terminal sends.
const TERMINAL: [Signal; 2] = [Signal::HUP, Signal::QUIT];
/// What has a meaning only for whom it is sent to.
const USERS: [Signal; 2] = [Signal::USR1, Signal::USR2];

/// The signals that are taken over: they do not end the process by themselves any more.
pub(crate) struct Signals(SignalsInfo<WithOrigin>);

/// A signal that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Which.
    pub(crate) signal: Signal,
    /// Whether the kernel sent it, as it does when somebody presses Ctrl-C: then it went to the
    /// whole foreground process group.
    pub(crate) by_terminal: bool,
}

impl Heard {
    /// Whether it asks to end.
    pub(crate) fn ends(self) -> bool {
        !USERS.contains(&self.signal)
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its own form is `Signal::INT`, in quotes.
        let name = format!("{:?}", self.signal);
        let name = name.trim_matches('"');
        write!(f, "SIG{}", name.trim_start_matches("Signal::"))
    }
}

impl Signals {
    /// Takes over SIGTERM and SIGINT.
    pub(crate) fn new() -> io::Result<Self> {
        Self::of(&[&ENDING])
    }

    /// Those and what else a terminal sends, for a process whose children would outlive it.
    pub(crate) fn with_terminal() -> io::Result<Self> {
        Self::of(&[&ENDING, &TERMINAL])
    }

    /// All that are passed on to an application.
    pub(crate) fn with_application() -> io::Result<Self> {
        Self::of(&[&ENDING, &TERMINAL, &USERS])
    }

    fn of(lists: &[&[Signal]]) -> io::Result<Self> {
        // Under `nohup` a hangup is for nobody, neither for the application.
        let taken = |signal: &&Signal| **signal != Signal::HUP || !is_ignored(**signal);
        let signals = lists.iter().flat_map(|list| list.iter()).filter(taken);
        SignalsInfo::new(signals.map(|signal| signal.as_raw())).map(Self)
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            let Some(Origin { signal, cause, .. }) = self.0.next().await else {
                return std::future::pending().await;
            };
            if let Some(signal) = Signal::from_named_raw(signal) {
                let by_terminal = cause == Cause::Kernel;
                return Heard {
                    signal,
                    by_terminal,
                };
            }
        }
    }
}

/// Lives on at SIGHUP and SIGUSR2, as Envoy does at the first: some managers of processes send
/// one to have a configuration read anew, which is not how it is done here, and the connections
/// of a whole application would break off.
pub(crate) fn outlive_hangups() -> io::Result<()> {
    for (kind, name) in [
        (SignalKind::hangup(), "SIGHUP"),
        (SignalKind::user_defined2(), "SIGUSR2"),
    ] {
        let mut heard = signal(kind)?;
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                tracing::warn!(
                    signal = name,
                    "a signal that has no meaning here is ignored"
                );
            }
        });
    }
    Ok(())
}

/// Whether whoever started this process has had it ignore a signal.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// Asks the process to end (`/quitquitquit`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Quit(Arc<Notify>);

impl Quit {
    /// Asks.
    pub(crate) fn request(&self) {
        self.0.notify_one();
    }

    /// Resolves once asked.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}
