//! Requests that wait for their turn: first come, first served.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Who waits to be told a `T`. Nobody stays in it who has given up.
#[derive(Debug)]
pub(crate) struct Line<T>(Mutex<Places<T>>);

#[derive(Debug)]
struct Places<T> {
    waiting: BTreeMap<u64, oneshot::Sender<Word<T>>>,
    next: u64,
}

/// What somebody was told.
#[derive(Debug)]
struct Word<T> {
    what: T,
    /// Whether nobody else was told: it is not to be lost.
    alone: bool,
}

/// A place in the line, given up when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a, T> {
    line: &'a Line<T>,
    number: u64,
    told: oneshot::Receiver<Word<T>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(Mutex::new(Places {
            waiting: BTreeMap::new(),
            next: 0,
        }))
    }
}

impl<T> Line<T> {
    /// Takes the last place.
    pub(super) fn join(&self) -> Turn<'_, T> {
        let (tell, told) = oneshot::channel();
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        places.waiting.insert(number, tell);
        Turn {
            line: self,
            number,
            told,
        }
    }

    /// Tells the one who waits longest; gives it back if nobody waits.
    pub(super) fn tell_next(&self, what: T) -> Result<(), T> {
        let mut word = Word { what, alone: true };
        loop {
            let Some((_, tell)) = self.places().waiting.pop_first() else {
                return Err(word.what);
            };
            match tell.send(word) {
                Ok(()) => return Ok(()),
                Err(back) => word = back,
            }
        }
    }

    /// Tells all who wait now.
    pub(super) fn tell_all(&self, what: impl Fn() -> T) {
        let waiting = std::mem::take(&mut self.places().waiting);
        for tell in waiting.into_values() {
            let _ = tell.send(Word {
                what: what(),
                alone: false,
            });
        }
    }

    fn places(&self) -> MutexGuard<'_, Places<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Turn<'_, T> {
    /// What it is told; `None` if nobody will.
    pub(super) async fn come(mut self) -> Option<T> {
        let word = (&mut self.told).await.ok()?;
        Some(word.what)
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.line.places().waiting.remove(&self.number);
        // Told and gone at the same time: the next, then.
        if let Ok(word) = self.told.try_recv()
            && word.alone
        {
            let _ = self.line.tell_next(word.what);
        }
    }
}

#[cfg(test)]
mod tests;
