//! Time between the first goodbye and the last.
//!
//! The protocol's own code says that the connection ends (a GOAWAY that still allows every stream,
//! and a PING), and as soon as that PING is answered that it has ended. A client that has heard the
//! first may open streams for longer than one round trip: what is under way in it, it has not heard
//! for. So the answer is held back for as long as the client is given.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How that PING is answered: its payload is h2's own.
pub(in crate::server) const ANSWER: &[u8; 17] =
    b"\0\0\x08\x06\x01\0\0\0\0\x0b\x7b\xa2\xf0\x8b\x9b\xfe\x54";
/// Where in a frame its kind is, and one that means nothing.
pub(super) const UNKNOWN: (usize, u8) = (3, 0xff);

/// Every answer passes.
const PASSES: u8 = 0;
/// This answer is to be held back.
const HOLDS: u8 = 1;
/// It has come.
const HELD: u8 = 2;
/// It is to be read now.
const RELEASED: u8 = 3;

/// What becomes of the answer; a connection and what it reads through share it.
#[derive(Debug, Default)]
pub(super) struct Goodbye(AtomicU8);

impl Goodbye {
    /// From now on the answer is held back.
    pub(super) fn hold(&self) {
        self.0.store(HOLDS, Relaxed);
    }

    pub(super) fn holds(&self) -> bool {
        matches!(self.0.load(Relaxed), HOLDS | HELD)
    }

    /// The answer has come; whether it is held back.
    pub(super) fn answered(&self) -> bool {
        let holds = self.0.load(Relaxed) == HOLDS;
        if holds {
            self.0.store(HELD, Relaxed);
        }
        holds
    }

    /// Nothing is held back any more; whether something was.
    pub(super) fn release(&self) -> bool {
        let (next, was_held) = match self.0.load(Relaxed) {
            HELD => (RELEASED, true),
            HOLDS => (PASSES, false),
            _ => return false,
        };
        self.0.store(next, Relaxed);
        was_held
    }

    /// Whether the answer is to be read before anything else.
    pub(super) fn is_due(&self) -> bool {
        self.0.load(Relaxed) == RELEASED
    }

    /// It is.
    pub(super) fn is_read(&self) {
        self.0.store(PASSES, Relaxed);
    }
}
